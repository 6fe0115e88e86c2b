/** A figure: what was measured, and its goal. */

export interface Figure {
  readonly name: string;
  /** The median of the runs. */
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  /** What was compared with what, and what else was seen. */
  readonly detail: string;
  /** Missing for a figure that is only shown. */
  readonly goal?: { readonly text: string; readonly met: boolean };
}

interface FigureOptions {
  readonly name: string;
  /** One per run. A count has one. */
  readonly samples: readonly number[];
  readonly unit: string;
  readonly goal?: { readonly atMost: number } | { readonly atLeast: number };
  /** For the table, if the goal is more than its number. */
  readonly goalText?: string;
  /** A further condition of the goal. */
  readonly also?: boolean;
  readonly detail: string;
}

export function figure({ name, samples, unit, goal, goalText, also = true, detail }: FigureOptions): Figure {
  const value = rounded(median(samples));
  const shown = { name, value, min: rounded(Math.min(...samples)), max: rounded(Math.max(...samples)), unit, detail };
  if (goal === undefined) return shown;
  const [part, whole] = 'atMost' in goal ? [value, goal.atMost] : [goal.atLeast, value];
  const text = goalText ?? ('atMost' in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`);
  return { ...shown, goal: { text, met: part <= whole && also } };
}

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new Error('Cannot take a median: there are no samples');
  return (low + high) / 2;
}

/** To three digits, or whole from 100 on. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** The ratios of two series that were measured in turn. */
export function ratios(of: readonly number[], to: readonly number[]): number[] {
  return of.map((sample, index) => sample / (to[index] ?? Number.NaN));
}
