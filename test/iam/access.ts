/** Takes IAM's place: checks before every call of a stack whether it is allowed, and records what was asked. */
import { LOCAL_ACCOUNT } from '../../local/stack/physical-resources.ts';
import type { StorageCall } from '../faults/fault-proxy.ts';
import { isAllowed } from './decide.ts';
import { holdersOf, type Policies } from './policies.ts';
import { type Call, type IamRequest, requestsOf } from './requests.ts';

/** A call that IAM would refuse, with IAM's message. */
class AccessDenied extends Error {
  override readonly name = 'AccessDeniedException';
}

/** IAM's answers, by policies and request. The stacks of most test files have the same policies. */
const answersBy = new WeakMap<Policies, Map<string, Promise<boolean>>>();

export class Access {
  /** The requests that IAM allowed, each once. */
  readonly allowed = new Map<string, IamRequest>();
  /** The refusals, with IAM's messages. */
  readonly refusals: string[] = [];
  readonly #policies: Policies;
  readonly #region: string;
  readonly #answers: Map<string, Promise<boolean>>;

  constructor(policies: Policies, region: string) {
    this.#policies = policies;
    this.#region = region;
    this.#answers = answersBy.get(policies) ?? new Map();
    answersBy.set(policies, this.#answers);
  }

  /** @throws AccessDenied that names the caller, the action and the resource */
  async check(call: Call): Promise<void> {
    if (!this.knows(call.caller)) return;
    for (const request of requestsOf(call, this.#region, this.#policies)) await this.ask(request);
  }

  async ask(request: IamRequest): Promise<void> {
    const key = JSON.stringify(request);
    const answer = this.#answers.get(key) ?? isAllowed(request, this.#policies);
    this.#answers.set(key, answer);
    if (await answer) {
      this.allowed.set(key, request);
      return;
    }
    const { principal, action, resource } = request;
    const who = principal === 'anybody' ? principal : Object.values(principal).join();
    const refusal = `User: ${who} is not authorized to perform: ${action} on resource: ${resource}`;
    this.refusals.push(refusal);
    throw new AccessDenied(refusal);
  }

  /** Whether the caller belongs to the stack. Tools of local mode and of tests do not. */
  knows(caller: string): boolean {
    return holdersOf(caller).every((holder) => this.#policies.identities.has(holder));
  }

  /** @throws AccessDenied */
  async checkStorage(call: StorageCall): Promise<void> {
    for (const resource of this.#resourcesOf(call)) {
      await this.check({ caller: call.caller, action: `dynamodb:${call.action}`, resource });
    }
  }

  #resourcesOf({ caller, action, body }: StorageCall): string[] {
    if (action.includes('Stream') || action === 'GetRecords' || action === 'GetShardIterator') {
      return [this.#policies.streams.get(caller) ?? 'arn:aws:dynamodb:::no-stream-of-its-own'];
    }
    const tables =
      typeof body['TableName'] === 'string' ? [body['TableName']] : Object.keys(body['RequestItems'] ?? {});
    const index = typeof body['IndexName'] === 'string' ? `/index/${body['IndexName']}` : '';
    return tables.map((table) => `arn:aws:dynamodb:${this.#region}:${LOCAL_ACCOUNT}:table/${table}${index}`);
  }
}
