/** A template with its references resolved. */
import * as z from 'zod';
import { type References, resolveIntrinsics } from './intrinsics.ts';

/** As much of a CloudFormation template as local mode reads. */
export const templateSchema = z.object({
  Resources: z.record(
    z.string(),
    z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).default({}) }),
  ),
  Outputs: z.record(z.string(), z.object({ Value: z.unknown() })).default({}),
});
export type Template = z.infer<typeof templateSchema>;

/** What `Ref` and `Fn::GetAtt` give for one resource. */
export interface PhysicalResource {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A template whose references stand for names and addresses on this machine. */
export class ResolvedTemplate {
  readonly #template: Template;
  readonly #references: References;

  /** @param pseudoParameters such as `AWS::Region`, by name */
  constructor(
    template: Template,
    physical: ReadonlyMap<string, PhysicalResource>,
    pseudoParameters: Readonly<Record<string, string>>,
  ) {
    this.#template = template;
    this.#references = {
      ref: (name) => pseudoParameters[name] ?? physical.get(name)?.ref,
      attribute: (logicalId, name) => physical.get(logicalId)?.attributes[name],
    };
  }

  /**
   * The resources of one type by logical id, each with the properties that `schema` names; others are not looked at.
   *
   * @throws Error that names the resource and the property which cannot be resolved or has another shape.
   */
  resources<Shape extends z.ZodRawShape>(
    type: string,
    schema: z.ZodObject<Shape>,
  ): Map<string, z.output<z.ZodObject<Shape>>> {
    const found = new Map<string, z.output<z.ZodObject<Shape>>>();
    for (const [logicalId, resource] of Object.entries(this.#template.Resources)) {
      if (resource.Type !== type) continue;
      const wanted = Object.entries(resource.Properties).filter(([name]) => name in schema.shape);
      const parsed = schema.safeParse(resolveIntrinsics(Object.fromEntries(wanted), logicalId, this.#references));
      if (!parsed.success) {
        throw new Error(`Cannot use ${type} ${logicalId} of the template: ${z.prettifyError(parsed.error)}`);
      }
      found.set(logicalId, parsed.data);
    }
    return found;
  }

  /** What a `Ref` to the resource gives, such as a table's name. */
  ref(logicalId: string): string {
    return this.#value({ Ref: logicalId }, logicalId);
  }

  /** What `Fn::GetAtt` gives, such as a function's `Arn`. */
  attribute(logicalId: string, name: string): string {
    return this.#value({ 'Fn::GetAtt': [logicalId, name] }, logicalId);
  }

  /** The stack's outputs by key. */
  outputs(): Record<string, string> {
    const outputs = Object.entries(this.#template.Outputs);
    return Object.fromEntries(outputs.map(([key, { Value }]) => [key, this.#value(Value, `Outputs.${key}`)]));
  }

  #value(node: unknown, path: string): string {
    return z.string().parse(resolveIntrinsics(node, path, this.#references));
  }
}
