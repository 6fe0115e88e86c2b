/** The buttons that export a list. */
import { download } from './download.ts';
import { numberText } from './parts.tsx';
import { useSettings } from './settings.tsx';

interface Props<Row> {
  /** The first part of the file's name. */
  readonly name: string;
  readonly rows: readonly Row[];
  toCsv(rows: readonly Row[]): string;
}

/** Exports the rows that are shown, as CSV and as JSON. */
export function Exports<Row>({ name, rows, toCsv }: Props<Row>) {
  const { say, language } = useSettings();
  if (rows.length === 0) return null;
  const file = `${name}-${new Date().toISOString().slice(0, 10)}`;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form's fields
    <div class="exports" role="group" aria-label={say('export')}>
      <span class="faint">{say('exportRows', { n: numberText(rows.length, language) })}</span>
      <button
        type="button"
        class="quiet"
        onClick={() => download(`${file}.csv`, 'text/csv;charset=utf-8', toCsv(rows))}
      >
        CSV
      </button>
      <button
        type="button"
        class="quiet"
        onClick={() => download(`${file}.json`, 'application/json', `${JSON.stringify(rows, null, 2)}\n`)}
      >
        JSON
      </button>
    </div>
  );
}
