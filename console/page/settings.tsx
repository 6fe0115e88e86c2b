/** The language and the theme of the page, and its words. */
import { type ComponentChildren, createContext } from 'preact';
import { useContext, useEffect, useMemo, useState } from 'preact/hooks';
import { en, type Words } from './words/en.ts';
import { fill } from './words/fill.ts';
import { ja } from './words/ja.ts';

const DICTIONARIES = { en, ja };
export type Language = keyof typeof DICTIONARIES;
export type Theme = 'light' | 'dark';

/** A word of the dictionary, filled in. */
export type Say = (word: keyof Words, values?: Readonly<Record<string, string | number>>) => string;

interface Settings {
  readonly language: Language;
  readonly theme: Theme;
  readonly say: Say;
  setLanguage(language: Language): void;
  setTheme(theme: Theme): void;
}

const Context = createContext<Settings | undefined>(undefined);

export function useSettings(): Settings {
  const settings = useContext(Context);
  if (settings === undefined) throw new Error('Cannot use settings: this is outside of SettingsProvider');
  return settings;
}

export const useSay = (): Say => useSettings().say;

const darkScheme = matchMedia('(prefers-color-scheme: dark)');

/** Language and theme: as the browser says, until the person chooses. */
export function SettingsProvider({ children }: { children: ComponentChildren }) {
  const [language, setLanguage] = useState<Language>(
    () => pick(localStorage.getItem('language')) ?? (navigator.language.startsWith('ja') ? 'ja' : 'en'),
  );
  const [chosen, setChosen] = useState(() => localStorage.getItem('theme'));
  const [dark, setDark] = useState(darkScheme.matches);
  const theme = chosen === 'dark' || chosen === 'light' ? chosen : dark ? 'dark' : 'light';

  useEffect(() => {
    const follow = () => setDark(darkScheme.matches);
    darkScheme.addEventListener('change', follow);
    return () => darkScheme.removeEventListener('change', follow);
  }, []);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);

  const settings = useMemo<Settings>(
    () => ({
      language,
      theme,
      say: (word, values = {}) => fill(DICTIONARIES[language][word], values),
      setLanguage(next) {
        localStorage.setItem('language', next);
        setLanguage(next);
      },
      setTheme(next) {
        localStorage.setItem('theme', next);
        setChosen(next);
      },
    }),
    [language, theme],
  );
  return <Context.Provider value={settings}>{children}</Context.Provider>;
}

const pick = (name: string | null): Language | undefined => (name === 'en' || name === 'ja' ? name : undefined);

/** The word for a value from data, or the value itself if there is no word for it. */
export function wordFor(
  say: Say,
  prefix: 'state' | 'class' | 'cause' | 'provider' | 'classHint',
  name: string | undefined,
): string {
  const word = `${prefix}_${name}`;
  return isWord(word) ? say(word) : (name ?? '');
}

function isWord(word: string): word is keyof Words {
  return Object.hasOwn(en, word);
}
