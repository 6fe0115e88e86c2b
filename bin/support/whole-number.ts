/** Reads options that are whole numbers. */
import { shellWord } from './terminal.ts';

/** @throws Error that names the option, and the numbers that are allowed */
export function wholeNumber(name: string, text: string, { min = 0, max }: { min?: number; max: number }): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  throw new Error(`Cannot use --${name} ${shellWord(text)}: it must be a whole number from ${min} to ${max}`);
}
