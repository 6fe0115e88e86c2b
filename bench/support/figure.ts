/** A figure: what was measured, and its goal. */
import * as z from 'zod';

export const figureSchema = z.object({
  /** As the docs name it. */
  name: z.string(),
  /** The median of the runs. */
  value: z.number(),
  unit: z.string(),
  goal: z.string(),
  met: z.boolean(),
  min: z.number(),
  max: z.number(),
  /** What was compared with what, and what else was seen. */
  detail: z.string(),
  /** How much of the goal is used: 1 is just met, less is better. */
  ofGoal: z.number(),
});
export type Figure = Readonly<z.infer<typeof figureSchema>>;

type Goal = { readonly atMost: number } | { readonly atLeast: number };

interface FigureOptions {
  readonly name: string;
  /** One of each run, or one alone where it is a count. */
  readonly samples: readonly number[];
  readonly unit: string;
  readonly goal: Goal;
  /** Where the numbers alone do not say it. */
  readonly goalText?: string;
  /** What must hold besides. */
  readonly also?: boolean;
  readonly detail: string;
}

/** A median over the runs, held against its goal. */
export function figure({ name, samples, unit, goal, goalText, also = true, detail }: FigureOptions): Figure {
  const value = rounded(median(samples));
  const ofGoal = 'atMost' in goal ? share(value, goal.atMost) : share(goal.atLeast, value);
  return {
    name,
    value,
    unit,
    goal: goalText ?? ('atMost' in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`),
    met: ofGoal <= 1 && also,
    min: rounded(Math.min(...samples)),
    max: rounded(Math.max(...samples)),
    detail,
    ofGoal: rounded(ofGoal),
  };
}

function share(part: number, whole: number): number {
  return part === 0 ? 0 : part / whole;
}

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new Error('Cannot take a median: there are no samples');
  return (low + high) / 2;
}

/** To three digits, or whole where it is larger. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** The ratios of two series that were measured in turn. */
export function ratios(of: readonly number[], to: readonly number[]): number[] {
  return of.map((sample, index) => sample / (to[index] ?? Number.NaN));
}
