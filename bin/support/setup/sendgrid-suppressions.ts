/** Imports SendGrid's suppression lists. */
import { messageOf } from '../../../local/files.ts';
import { SendGridApi, SUPPRESSION_LISTS, type SuppressionList } from '../sendgrid-api.ts';
import { tablesOf } from '../stack-tables.ts';
import { importEntries } from '../suppressions/import.ts';
import { done, type Setup, say, title } from './step.ts';

/**
 * Offers to import SendGrid's bounces, spam reports and invalid addresses, if the key may read them. Does nothing without a
 * key.
 *
 * @param isWanted whether an option asks for the import, so that no question is needed
 */
export async function offerSuppressions({ outputs, answers, webhookKey }: Setup, isWanted: boolean): Promise<void> {
  if (webhookKey === '') return;
  title('SendGrid, suppressions');
  const api = new SendGridApi(outputs, webhookKey);
  const scopes = await api.scopes();
  const lists = SUPPRESSION_LISTS.filter((list) =>
    ['suppression.read', `suppression.${list}.read`].some((scope) => scopes.includes(scope)),
  );
  if (lists.length === 0) return say('not imported: the key has no read access to Suppressions');
  const question = `Import SendGrid's ${lists.join(', ')}: these addresses will get no mail (type yes, or leave empty for no)`;
  if ((await answers.open(isWanted ? 'yes' : '', question)) !== 'yes') {
    return say(`not imported: ${lists.join(', ')}. --import-suppressions imports them`);
  }
  for (const list of lists) {
    const bad = { lines: 0 };
    const written = await importEntries(
      tablesOf(outputs),
      entriesOf(api, list),
      () => bad.lines++,
      (addresses) => {
        if (addresses % 10_000 === 0) say(`… ${addresses.toLocaleString('en-US')} of ${list}`);
      },
    ).catch((cause: unknown) => {
      throw new Error(`Cannot import SendGrid's ${list}: ${messageOf(cause)}`, { cause });
    });
    done(
      `${list}: ${written} imported${bad.lines > 0 ? `, ${bad.lines} left out, because they are not addresses` : ''}`,
    );
  }
}

async function* entriesOf(api: SendGridApi, list: SuppressionList) {
  let line = 0;
  for await (const { email, reason, created } of api.suppressions(list)) {
    yield { line: ++line, entry: { email, reason: reason || `SendGrid: ${list}`, created: String(created) } };
  }
}
