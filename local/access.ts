/**
 * A permission check, called before each AWS call that is made with a function's permissions. It resolves, or throws the
 * error that AWS would answer. Local mode itself allows every call.
 *
 * @param caller the function's logical id, which is also its access key id
 * @param action as IAM names it, such as `sqs:SendMessage`
 */
export type Authorize = (caller: string, action: string, resourceArn: string) => Promise<void>;

export const ALLOW_ALL: Authorize = async () => undefined;
