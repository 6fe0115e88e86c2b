/** The policies of a template, by the identity or resource that they are attached to. */
import * as z from 'zod';
import type { ResolvedTemplate } from '../../local/stack/template.ts';

const texts = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());

const statementSchema = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Action: texts,
  Resource: texts.optional(),
  Principal: z.unknown().optional(),
  Condition: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
});
const documentSchema = z.object({ Statement: z.array(statementSchema) });

/** A statement with a list wherever IAM accepts one value or many. */
export type Statement = z.infer<typeof statementSchema>;

export interface Policies {
  /** Identity policies: what a function's role may do, by the function's logical id; what a managed policy allows, by its own. */
  readonly identities: ReadonlyMap<string, readonly Statement[]>;
  /** Resource policies, by ARN: of a key, a queue, a topic or a function; and of a role, who may assume it. */
  readonly resources: ReadonlyMap<string, readonly Statement[]>;
  /** The ARN of the key that encrypts a resource, by the resource's ARN. */
  readonly keys: ReadonlyMap<string, string>;
  /** The ARN of the stream that Lambda reads for a function, by the function's logical id. */
  readonly streams: ReadonlyMap<string, string>;
}

/**
 * The holders of the policies that apply to a caller. A function has its own. An application's role, which is named
 * `LogMailPolicyReadBouncesPolicy` for example, has every managed policy that is attached to it.
 */
export function holdersOf(caller: string): string[] {
  return caller.split(/(?<=Policy)(?=[A-Z])/);
}

export function policiesOf(template: ResolvedTemplate): Policies {
  const identities = new Map<string, Statement[]>();
  const resources = new Map<string, Statement[]>();
  const keys = new Map<string, string>();
  const add = (to: Map<string, Statement[]>, holder: string, statements: readonly Statement[]) =>
    to.set(holder, [...(to.get(holder) ?? []), ...statements]);
  const each = <Shape extends z.ZodRawShape>(
    type: string,
    shape: Shape,
    use: (properties: z.output<z.ZodObject<Shape>>, logicalId: string) => void,
  ) => template.resources(type, z.object(shape)).forEach(use);

  const streams = new Map<string, string>();
  const functionsByRole = new Map<string, string>();
  each('AWS::Lambda::Function', { Role: z.string() }, ({ Role }, logicalId) =>
    functionsByRole.set(Role.split('/').at(-1) ?? '', logicalId),
  );
  each('AWS::IAM::Policy', { Roles: z.array(z.string()), PolicyDocument: documentSchema }, (policy) => {
    for (const role of policy.Roles) {
      add(identities, functionsByRole.get(role) ?? role, policy.PolicyDocument.Statement);
    }
  });
  each('AWS::IAM::ManagedPolicy', { PolicyDocument: documentSchema }, ({ PolicyDocument }, logicalId) =>
    add(identities, logicalId, PolicyDocument.Statement),
  );
  each('AWS::IAM::Role', { AssumeRolePolicyDocument: documentSchema }, (role, logicalId) =>
    add(resources, template.attribute(logicalId, 'Arn'), role.AssumeRolePolicyDocument.Statement),
  );
  each('AWS::KMS::Key', { KeyPolicy: documentSchema }, ({ KeyPolicy }, logicalId) =>
    add(resources, template.attribute(logicalId, 'Arn'), KeyPolicy.Statement),
  );
  for (const type of ['AWS::SQS::QueuePolicy', 'AWS::SNS::TopicPolicy']) {
    each(type, { PolicyDocument: documentSchema }, ({ PolicyDocument }) => {
      for (const statement of PolicyDocument.Statement) {
        for (const resource of statement.Resource ?? []) add(resources, resource, [statement]);
      }
    });
  }
  each('AWS::Lambda::Permission', permissionShape, (permission) =>
    add(resources, permission.FunctionName, [permissionStatement(permission)]),
  );

  each('AWS::DynamoDB::Table', { SSESpecification: z.object({ KMSMasterKeyId: z.string() }) }, (table, logicalId) => {
    for (const name of ['Arn', 'StreamArn']) {
      keys.set(template.attribute(logicalId, name), table.SSESpecification.KMSMasterKeyId);
    }
  });
  each('AWS::SecretsManager::Secret', { KmsKeyId: z.string() }, ({ KmsKeyId }, logicalId) =>
    keys.set(template.ref(logicalId), KmsKeyId),
  );
  each('AWS::SQS::Queue', { KmsMasterKeyId: z.string() }, ({ KmsMasterKeyId }, logicalId) =>
    keys.set(template.attribute(logicalId, 'Arn'), KmsMasterKeyId),
  );
  const functionIds = new Map<string, string>();
  each('AWS::Lambda::Function', {}, (_, logicalId) => functionIds.set(template.ref(logicalId), logicalId));
  each('AWS::Lambda::EventSourceMapping', { FunctionName: z.string(), EventSourceArn: z.string() }, (mapping) => {
    const logicalId = functionIds.get(mapping.FunctionName);
    if (logicalId !== undefined && mapping.EventSourceArn.includes('/stream/')) {
      streams.set(logicalId, mapping.EventSourceArn);
    }
  });
  return { identities, resources, keys, streams };
}

const permissionShape = {
  Action: z.string(),
  FunctionName: z.string(),
  Principal: z.string(),
  SourceArn: z.string().optional(),
  FunctionUrlAuthType: z.string().optional(),
  InvokedViaFunctionUrl: z.boolean().optional(),
};

/** What Lambda makes of a permission (API reference, AddPermission). */
function permissionStatement(permission: z.output<z.ZodObject<typeof permissionShape>>): Statement {
  const { Action, FunctionName, Principal, SourceArn, FunctionUrlAuthType, InvokedViaFunctionUrl } = permission;
  return {
    Effect: 'Allow',
    Action: [Action],
    Resource: [FunctionName],
    Principal: Principal === '*' ? '*' : { Service: Principal },
    Condition: {
      ...(SourceArn !== undefined && { ArnLike: { 'aws:SourceArn': SourceArn } }),
      ...(FunctionUrlAuthType !== undefined && { StringEquals: { 'lambda:FunctionUrlAuthType': FunctionUrlAuthType } }),
      ...(InvokedViaFunctionUrl !== undefined && {
        Bool: { 'lambda:InvokedViaFunctionUrl': String(InvokedViaFunctionUrl) },
      }),
    },
  };
}

/** One action that a statement allows to one holder on one resource. */
export interface Grant {
  readonly kind: 'identities' | 'resources';
  readonly holder: string;
  readonly statement: number;
  readonly action: string;
  /** Undefined if the statement names no resource, as in a role's trust policy. */
  readonly resource: string | undefined;
}

export function grantsOf(policies: Policies): Grant[] {
  return (['identities', 'resources'] as const).flatMap((kind) =>
    [...policies[kind]].flatMap(([holder, statements]) =>
      statements.flatMap(({ Effect, Action, Resource }, statement) =>
        Effect === 'Deny'
          ? []
          : Action.flatMap((action) =>
              (Resource ?? [undefined]).map((resource) => ({ kind, holder, statement, action, resource })),
            ),
      ),
    ),
  );
}

export function without(policies: Policies, grant: Grant): Policies {
  const changed = new Map(policies[grant.kind]);
  const statements = (changed.get(grant.holder) ?? []).flatMap((statement, n): Statement[] => {
    if (n !== grant.statement) return [statement];
    const otherActions = statement.Action.filter((action) => action !== grant.action);
    const otherResources = statement.Resource?.filter((resource) => resource !== grant.resource) ?? [];
    return [
      ...(otherActions.length > 0 ? [{ ...statement, Action: otherActions }] : []),
      ...(otherResources.length > 0 ? [{ ...statement, Action: [grant.action], Resource: otherResources }] : []),
    ];
  });
  changed.set(grant.holder, statements);
  return { ...policies, [grant.kind]: changed };
}
