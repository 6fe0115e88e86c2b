/** The machine that measured. */
import { cpus, release, totalmem, type } from 'node:os';
import * as z from 'zod';

export const machineSchema = z.object({
  cpu: z.string(),
  cores: z.number(),
  memoryGb: z.number(),
  os: z.string(),
  node: z.string(),
  /** YYYY-MM-DD. */
  date: z.string(),
  runs: z.number(),
});
export type Machine = z.infer<typeof machineSchema>;

/** What the figures were measured on, and when. */
export function describeMachine(runs: number): Machine {
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
    runs,
  };
}
