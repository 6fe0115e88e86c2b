/** The periods of the overview. */
export const PERIODS = ['24h', '7d', '30d', '90d'] as const;
export type Period = (typeof PERIODS)[number];

/** The edges of a period's columns: hours or days in the person's time zone, including the current one. */
export function edgesOf(period: Period, now: Date): string[] {
  const hours = period === '24h';
  const columns = hours ? 24 : Number.parseInt(period, 10);
  const start = new Date(now);
  start.setMinutes(0, 0, 0);
  if (!hours) start.setHours(0);
  return Array.from({ length: columns + 1 }, (_, index) => {
    const edge = new Date(start);
    const steps = index - columns + 1;
    if (hours) edge.setTime(edge.getTime() + steps * 3_600_000);
    else edge.setDate(edge.getDate() + steps);
    return edge.toISOString();
  });
}
