/** The figures as tables. */
import { faint, good, heading } from '../../bin/support/talk.ts';
import type { Figure } from '../support/figure.ts';
import type { Machine } from './machine.ts';

/** The figures as a person reads them in a terminal. */
export function terminalTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [figure.name, valueText(figure), figure.goal, figure.met ? 'met' : 'MISSED']);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return figures
    .flatMap(({ met, unit, detail }, index) => {
      const [name = '', value = '', goal = '', verdict = ''] = (rows[index] ?? []).map((cell, column) =>
        cell.padEnd(widths[column] ?? 0),
      );
      return [
        `${heading(name)}  ${value}  ${goal}  ${met ? good(verdict) : heading(verdict)}`,
        faint(`    ${unit}: ${detail}`),
      ];
    })
    .join('\n');
}

/** The same for docs/performance.md. */
export function markdownTable({ machine, figures }: { machine: Machine; figures: readonly Figure[] }): string {
  const rows = figures.map(({ name, unit, goal, met, detail, ...numbers }) =>
    [name, `**${valueText(numbers)}** ${unit}`, goal, met ? 'met' : '**missed**', detail].join(' | '),
  );
  const { cpu, cores, memoryGb, os, node, date, runs } = machine;
  return [
    `${cpu}, ${cores} cores, ${memoryGb} GB, ${os}, Node ${node.slice(1)}, ${date}; medians of ${runs} interleaved runs, in brackets the least and the most.`,
    '',
    '| | figure | goal | | seen |',
    '|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}

/** The median, and the least and the most where they differ. */
function valueText({ value, min, max }: Pick<Figure, 'value' | 'min' | 'max'>): string {
  return min === max ? String(value) : `${value} (${min} to ${max})`;
}
