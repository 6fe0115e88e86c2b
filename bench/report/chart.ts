/** The chart. */
import type { Figure } from '../support/figure.ts';

const ROW = 24;
const TOP = 64;
const [NAME_END, GOAL_X, BAR_END] = [170, 470, 560];
const WIDTH = 860;
const LONGEST = (BAR_END - NAME_END) / (GOAL_X - NAME_END);

type WithGoal = Pick<Figure, 'name' | 'value'> & { readonly goal: NonNullable<Figure['goal']> };

/** One bar per figure with a goal. Readable in light and dark. */
export function chart(figures: readonly Figure[]): string {
  const withGoal = figures.flatMap(({ name, value, goal }) => (goal ? [{ name, value, goal }] : []));
  const height = TOP + withGoal.length * ROW + 16;
  const bars = withGoal.map((figure, index) => bar(figure, TOP + index * ROW));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-labelledby="title">
<title id="title">How much of its goal each figure uses</title>
<style>
  text { fill: #24292f } .faint { fill: #57606a } .met { fill: #2da44e } .missed { fill: #cf222e } line { stroke: #57606a }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .faint { fill: #9198a1 } .met { fill: #3fb950 } .missed { fill: #f85149 } line { stroke: #9198a1 } }
</style>
<text x="12" y="22" font-size="15" font-weight="600">How much of its goal each figure uses</text>
<text x="12" y="42" class="faint">A bar that ends left of the line meets its goal; shorter is better. For “at least” goals it is goal ÷ value.</text>
<text x="${GOAL_X}" y="${TOP - 6}" class="faint" text-anchor="middle">goal</text>
${bars.join('\n')}
<line x1="${GOAL_X}" y1="${TOP}" x2="${GOAL_X}" y2="${height - 12}" stroke-dasharray="3 3"/>
</svg>
`;
}

function bar({ name, value, goal }: WithGoal, y: number): string {
  const length = Math.max(2, Math.min(goal.used, LONGEST) * (GOAL_X - NAME_END));
  const beyond = goal.used > LONGEST ? ' →' : '';
  return [
    `<text x="${NAME_END - 10}" y="${y + 15}" text-anchor="end">${escaped(name)}</text>`,
    `<rect x="${NAME_END}" y="${y + 3}" width="${length.toFixed(1)}" height="${ROW - 8}" rx="2" class="${goal.met ? 'met' : 'missed'}"/>`,
    `<text x="${BAR_END + 12}" y="${y + 15}">${escaped(`${value}${beyond}`)}<tspan class="faint"> of ${escaped(goal.text)}</tspan></text>`,
  ].join('');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
