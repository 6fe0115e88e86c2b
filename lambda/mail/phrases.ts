/**
 * Looks for many phrases in a text at once, word by word. A regular expression with as many alternatives takes several
 * times as long.
 *
 * A phrase is a sequence of words. `a|b` is one of several words, `a?` a word that may be missing, `*` any one word,
 * and `...` any number of words. The words of a text are its Latin letters and digits, in any case, and `@`. Everything
 * between them is ignored.
 */

/** A word as a number, so that it is compared fast. */
type Word = number;
/** A word of the text that is in no phrase. */
const OTHER: Word = 0;

interface Step {
  /** Any of these words fits; undefined: any word. */
  readonly words: readonly Word[] | undefined;
  readonly isOptional: boolean;
  /** Any number of other words may come before it. */
  readonly isAfterGap: boolean;
}

interface Phrase {
  readonly group: number;
  /** The steps after the first word. */
  readonly steps: readonly Step[];
}

/**
 * @param groups of phrases
 * @returns a function that returns the index of the first group with a phrase that is in the text, or -1
 */
export function phraseFinder(groups: readonly (readonly string[])[]): (text: string) => number {
  const vocabulary = new Map<string, Word>();
  const byFirstWord: (Phrase[] | undefined)[] = [undefined];
  const wordOf = (text: string): Word => {
    const word = vocabulary.get(text) ?? vocabulary.size + 1;
    vocabulary.set(text, word);
    return word;
  };
  for (const [group, phrases] of groups.entries()) {
    for (const phrase of phrases) {
      const [first, ...steps] = stepsOf(phrase, wordOf);
      if (first?.words === undefined || first.isOptional)
        throw new Error(`Cannot find the phrase "${phrase}": no first word`);
      for (const word of first.words) byFirstWord[word] = [...(byFirstWord[word] ?? []), { group, steps }];
    }
  }
  return (text) => {
    const words = (text.toLowerCase().match(/[a-z0-9]+|@/g) ?? []).map((word) => vocabulary.get(word) ?? OTHER);
    let found = groups.length;
    for (let at = 0; at < words.length; at += 1) {
      const phrases = byFirstWord[words[at] ?? OTHER];
      if (phrases === undefined) continue;
      for (const { group, steps } of phrases) if (group < found && follow(words, at + 1, steps, 0)) found = group;
    }
    return found === groups.length ? -1 : found;
  };
}

function stepsOf(phrase: string, wordOf: (text: string) => Word): Step[] {
  const steps: Step[] = [];
  let isAfterGap = false;
  for (const part of phrase.split(' ')) {
    if (part === '...') {
      isAfterGap = true;
      continue;
    }
    const isOptional = part.endsWith('?');
    const words = isOptional ? part.slice(0, -1) : part;
    steps.push({ words: words === '*' ? undefined : words.split('|').map(wordOf), isOptional, isAfterGap });
    isAfterGap = false;
  }
  return steps;
}

/** Whether the steps from index `next` on fit the words from index `at` on. */
function follow(words: readonly Word[], at: number, steps: readonly Step[], next: number): boolean {
  const step = steps[next];
  if (step === undefined) return true;
  if (step.isOptional && follow(words, at, steps, next + 1)) return true;
  for (let position = at; position < words.length; position += 1) {
    const fits = step.words === undefined || step.words.includes(words[position] ?? OTHER);
    if (fits && follow(words, position + 1, steps, next + 1)) return true;
    if (!step.isAfterGap) return false;
  }
  return false;
}
