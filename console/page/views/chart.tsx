/** Outcomes over time, as a chart. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { COUNTED_OUTCOMES, type CountedOutcome } from '../../shared/api.ts';
import { Mark, numberText } from '../parts.tsx';
import { useSettings, wordFor } from '../settings.tsx';

interface Props {
  readonly edges: readonly string[];
  readonly outcomes: Readonly<Partial<Record<CountedOutcome, readonly number[]>>>;
  readonly hours: boolean;
}

const HEIGHT = 240;

/** Outcomes over time, stacked, and as a table for people who cannot see the chart. */
export function Chart({ edges, outcomes, hours }: Props) {
  const { say, language, theme } = useSettings();
  const place = useRef<HTMLDivElement>(null);
  const shown = COUNTED_OUTCOMES.filter((name) => (outcomes[name] ?? []).some((count) => count > 0));
  const columns = edges.length - 1;
  const text = JSON.stringify([edges, outcomes]);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const chart = new uPlot(
      options(element, { names: shown, language, hours, columns }),
      stacked(
        edges,
        shown.map((name) => outcomes[name] ?? []),
      ),
      element,
    );
    const resized = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      chart.destroy();
    };
  }, [text, language, theme, hours]);

  const columnText = (index: number) => columnFormat(language, hours).format(new Date(edges[index] ?? ''));
  return (
    <figure class="chart">
      <figcaption class="legend">
        {shown.map((name) => (
          <Mark key={name} state={name} />
        ))}
      </figcaption>
      <div ref={place} class="chart-place" role="img" aria-label={say('chartTitle')} />
      <details>
        <summary>{say('chartNumbers')}</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
        <section class="scrolls" tabIndex={0} aria-label={say('chartNumbers')}>
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">{say('when')}</th>
                {COUNTED_OUTCOMES.map((name) => (
                  <th key={name} scope="col">
                    {wordFor(say, 'state', name)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {Array.from({ length: columns }, (_, index) => columns - 1 - index).map((index) => (
                <tr key={edges[index]}>
                  <th scope="row">{columnText(index)}</th>
                  {COUNTED_OUTCOMES.map((name) => (
                    <td key={name}>{numberText(outcomes[name]?.[index] ?? 0, language)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </details>
    </figure>
  );
}

const columnFormat = (language: string, hours: boolean) =>
  new Intl.DateTimeFormat(
    language,
    hours ? { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } : { month: 'numeric', day: 'numeric' },
  );

/** A bar is as high as its series and those before it. Higher bars are drawn first, so that lower ones cover a part of them. */
function stacked(edges: readonly string[], series: readonly (readonly number[])[]): uPlot.AlignedData {
  const indexes = Array.from({ length: edges.length - 1 }, (_, index) => index);
  const heights = series.map((_, n) =>
    // Null instead of 0, because the outline of a bar of height 0 would be visible.
    indexes.map((index) => series.slice(0, n + 1).reduce((sum, counts) => sum + (counts[index] ?? 0), 0) || null),
  );
  return [indexes.map((index) => Date.parse(edges[index] ?? '') / 1000), ...heights.reverse()];
}

function options(
  element: HTMLElement,
  shown: { names: readonly CountedOutcome[]; language: string; hours: boolean; columns: number },
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour('muted'),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
  };
  const format = columnFormat(shown.language, shown.hours);
  const step = shown.hours ? 3600 : 86_400;
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [12, 8, 0, 0],
    scales: {
      x: { range: (_, min, max) => [min - step * 0.6, max + step * 0.6] },
      y: { range: (_, __, max) => [0, Math.max(4, max * 1.08)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 56,
        incrs: shown.hours ? [1, 2, 3, 6, 12].map((n) => n * 3600) : [1, 2, 7, 14, 28].map((n) => n * 86_400),
        values: (_, seconds) => seconds.map((second) => format.format(new Date(second * 1000))),
      },
      {
        ...axis,
        size: 46,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000],
        values: (_, counts) => counts.map((count) => numberText(count, shown.language)),
      },
    ],
    series: [
      {},
      ...shown.names.toReversed().map((name) => ({
        fill: colour(name),
        stroke: colour('surface'),
        width: 1,
        points: { show: false },
        ...(uPlot.paths.bars && { paths: uPlot.paths.bars({ size: [0.66, 36] }) }),
      })),
    ],
  };
}
