/** Resolves CloudFormation's intrinsic functions, as far as the stack uses them. */
import * as z from 'zod';

/** What references in a template stand for. */
export interface References {
  /** The value of `Ref`: a physical id or a pseudo parameter. Undefined if there is nothing of this name. */
  ref(name: string): string | undefined;
  /** The value of `Fn::GetAtt`. Undefined if there is no such resource or attribute. */
  attribute(logicalId: string, attribute: string): string | undefined;
}

const two = z.tuple([z.string(), z.string()]);
const join = z.tuple([z.string(), z.array(z.string())]);
const select = z.tuple([z.coerce.number(), z.array(z.string())]);

/**
 * Replaces CloudFormation's intrinsic functions in a part of a template by their values.
 *
 * @param path where `node` stands, such as `Mail.StreamSpecification`, for errors
 * @throws Error that names the path if a function or a reference is not known.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
 */
export function resolveIntrinsics(node: unknown, path: string, references: References): unknown {
  return value(node, path);

  function value(node: unknown, path: string): unknown {
    if (Array.isArray(node)) return node.map((item) => value(item, path));
    if (typeof node !== 'object' || node === null) return node;
    const entries = Object.entries(node);
    const [[name, argument] = ['', undefined]] = entries;
    if (name === 'Ref' || name.startsWith('Fn::')) return intrinsic(name, value(argument, path), path);
    return Object.fromEntries(entries.map(([key, inner]) => [key, value(inner, `${path}.${key}`)]));
  }

  function intrinsic(name: string, argument: unknown, path: string): unknown {
    const fail = (problem: string): never => {
      throw new Error(`Cannot resolve ${path}: ${problem}`);
    };
    const ref = (target: string) => references.ref(target) ?? fail(`there is nothing called ${target}`);
    const attribute = (logicalId: string, attributeName: string) =>
      references.attribute(logicalId, attributeName) ?? fail(`local mode does not know ${logicalId}.${attributeName}`);
    if (typeof argument === 'string') {
      if (name === 'Ref') return ref(argument);
      if (name === 'Fn::Sub') return argument.replace(/\$\{([\w:]+)\}/g, (_, target: string) => ref(target));
    }
    if (name === 'Fn::GetAtt') return attribute(...two.parse(argument));
    if (name === 'Fn::Join') {
      const [separator, items] = join.parse(argument);
      return items.join(separator);
    }
    if (name === 'Fn::Split') {
      const [separator, text] = two.parse(argument);
      return text.split(separator);
    }
    if (name === 'Fn::Select') {
      const [index, items] = select.parse(argument);
      return items[index] ?? fail(`Fn::Select finds nothing at ${index}`);
    }
    return fail(`local mode does not know ${name}`);
  }
}
