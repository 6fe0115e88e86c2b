/**
 * Asked before an AWS call is made in a function's name: resolves, or throws what AWS would answer. Local mode itself
 * lets everything pass.
 *
 * @param caller the function's logical id, which is also its access key id
 * @param action as IAM names it, such as `sqs:SendMessage`
 */
export type Authorize = (caller: string, action: string, resourceArn: string) => Promise<void>;

export const ALLOW_ALL: Authorize = async () => undefined;
