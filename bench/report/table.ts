/** The figures as tables. */
import { markdown } from '../paper/markdown.ts';
import type { Figure } from '../support/figure.ts';
import { BEFORE } from './before.ts';

/** For a terminal. */
export function terminalTable(figures: readonly Figure[]): string {
  return figures
    .map((figure) => {
      const { name, unit, goal, detail } = figure;
      const verdict = goal ? `${goal.met ? 'met' : 'MISSED'}  (goal ${goal.text})` : 'no goal';
      return `${name}: ${valueText(figure)} ${unit}  ${verdict}\n    ${detail}`;
    })
    .join('\n');
}

/** For docs/performance.md. */
export function markdownTable(figures: readonly Figure[]): string {
  return markdown(
    ['', 'figure', 'before', 'goal', '', 'details'],
    figures.map((figure) => {
      const { name, unit, goal, detail } = figure;
      const verdict = goal ? (goal.met ? 'met' : '**missed**') : '';
      return [name, `**${valueText(figure)}** ${unit}`, BEFORE[name] ?? '—', goal?.text ?? '—', verdict, detail];
    }),
  );
}

/** The median, and the least and the most if they differ. */
function valueText({ value, min, max }: Figure): string {
  return min === max ? String(value) : `${value} (${min} to ${max})`;
}
