import { applyMode, Mode } from '@cloudscape-design/global-styles';

import { type Language, loadLanguage } from '../messages';
import { createStore } from './store';

export type Theme = 'light' | 'dark' | 'system';

function read(name: string): string | null {
  try {
    return window.localStorage.getItem(name);
  } catch {
    return null; // Storage is switched off.
  }
}

function write(name: string, value: string): void {
  try {
    window.localStorage.setItem(name, value);
  } catch {
    // The choice then lasts until the page is closed.
  }
}

function firstLanguage(): Language {
  const wanted = read('moorage.language') ?? window.navigator.language;
  return wanted.startsWith('de') ? 'de' : 'en';
}

function firstTheme(): Theme {
  const saved = read('moorage.theme');
  return saved === 'light' || saved === 'dark' ? saved : 'system';
}

export const language = createStore<Language>(firstLanguage());
export const theme = createStore<Theme>(firstTheme());
/** Whether dark colours are shown, whichever choice caused it. */
export const dark = createStore(false);

const systemIsDark = window.matchMedia('(prefers-color-scheme: dark)');

function paint(): void {
  const chosen = theme.get();
  dark.set(chosen === 'system' ? systemIsDark.matches : chosen === 'dark');
  applyMode(dark.get() ? Mode.Dark : Mode.Light);
}

export async function chooseLanguage(chosen: Language): Promise<void> {
  await loadLanguage(chosen);
  write('moorage.language', chosen);
  language.set(chosen);
}

export function chooseTheme(chosen: Theme): void {
  write('moorage.theme', chosen);
  theme.set(chosen);
  paint();
}

/** Apply what was chosen earlier. Call it before the first rendering. */
export async function applyPreferences(): Promise<void> {
  paint();
  systemIsDark.addEventListener('change', paint);
  await loadLanguage(language.get());
}
