/** CloudFormation's intrinsic functions. */
import * as z from 'zod';

/** What references in a template stand for. */
export interface References {
  /** The value of `Ref`: a physical id or a pseudo parameter. Undefined if there is nothing of this name. */
  ref(name: string): string | undefined;
  /** The value of `Fn::GetAtt`. Undefined if there is no such resource or attribute. */
  attribute(logicalId: string, attribute: string): string | undefined;
}

/**
 * Replaces CloudFormation's intrinsic functions in a part of a template by what they stand for. A property whose
 * value is `AWS::NoValue` is left out.
 *
 * @param path where `node` stands, such as `Mail.StreamSpecification`, for errors
 * @throws Error that names the path where a function or a reference is not known.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
 */
export function resolveIntrinsics(node: unknown, path: string, references: References): unknown {
  return new Resolver(references, path).value(node);
}

const pair = z.tuple([z.unknown(), z.unknown()]);
const variables = z.record(z.string(), z.string());

class Resolver {
  readonly #references: References;
  readonly #path: string;

  constructor(references: References, path: string) {
    this.#references = references;
    this.#path = path;
  }

  value(node: unknown): unknown {
    if (Array.isArray(node)) return node.map((item) => this.value(item)).filter((item) => item !== undefined);
    if (typeof node !== 'object' || node === null) return node;
    const entries = Object.entries(node);
    const [first] = entries;
    if (first !== undefined && entries.length === 1 && (first[0] === 'Ref' || first[0].startsWith('Fn::'))) {
      return this.#intrinsic(first[0], first[1]);
    }
    const resolved = entries.map(([key, value]) => [
      key,
      new Resolver(this.#references, `${this.#path}.${key}`).value(value),
    ]);
    return Object.fromEntries(resolved.filter(([, value]) => value !== undefined));
  }

  #intrinsic(name: string, argument: unknown): unknown {
    switch (name) {
      case 'Ref':
        return this.#ref(this.#string(argument));
      case 'Fn::GetAtt':
        return this.#attribute(typeof argument === 'string' ? argument : this.#strings(argument).join('.'));
      case 'Fn::Join': {
        const [separator, items] = this.#pair(argument);
        return this.#strings(items).join(this.#string(separator));
      }
      case 'Fn::Split': {
        const [separator, text] = this.#pair(argument);
        return this.#string(text).split(this.#string(separator));
      }
      case 'Fn::Select': {
        const [index, items] = this.#pair(argument);
        return this.#strings(items)[Number(index)] ?? this.#fail(`Fn::Select finds nothing at ${index}`);
      }
      case 'Fn::Sub': {
        const [text, values] = Array.isArray(argument) ? this.#pair(argument) : [argument, {}];
        return this.#substitute(this.#string(text), variables.parse(this.value(values)));
      }
      default:
        return this.#fail(`local mode does not know ${name}`);
    }
  }

  /** `${Name}`, `${Name.Attribute}`, and `${!Literal}`, which stays without its exclamation mark. */
  #substitute(text: string, values: Record<string, string>): string {
    return text.replace(/\$\{(!?)([^}]+)\}/g, (_whole, literal: string, name: string) => {
      if (literal !== '') return `\${${name}}`;
      return values[name] ?? (name.includes('.') ? this.#attribute(name) : this.#string({ Ref: name }));
    });
  }

  #ref(name: string): string | undefined {
    if (name === 'AWS::NoValue') return undefined;
    return this.#references.ref(name) ?? this.#fail(`there is nothing called ${name}`);
  }

  #attribute(target: string): string {
    const dot = target.indexOf('.');
    const found = this.#references.attribute(target.slice(0, dot), target.slice(dot + 1));
    return found ?? this.#fail(`local mode does not know ${target}`);
  }

  #string(node: unknown): string {
    const value = this.value(node);
    return typeof value === 'string' ? value : this.#fail(`expected a string, found ${JSON.stringify(value)}`);
  }

  #strings(node: unknown): string[] {
    const value = this.value(node);
    if (!Array.isArray(value)) return this.#fail(`expected a list, found ${JSON.stringify(value)}`);
    return value.map((item) => this.#string(item));
  }

  #pair(argument: unknown): [unknown, unknown] {
    const parsed = pair.safeParse(argument);
    return parsed.success ? parsed.data : this.#fail(`expected two arguments, found ${JSON.stringify(argument)}`);
  }

  #fail(problem: string): never {
    throw new Error(`Cannot resolve ${this.#path}: ${problem}`);
  }
}
