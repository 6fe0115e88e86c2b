/** @throws Error that names the option */
export function wholeNumber(name: string, text: string, max: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= max && text.trim() !== '') return number;
  throw new Error(`Cannot start: --${name} is ${text}, it must be a whole number from 0 to ${max}`);
}
