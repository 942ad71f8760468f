import type { I18nProviderProps } from '@cloudscape-design/components/i18n';

import type en from './en.json';

export type MessageKey = keyof typeof en;
export type Language = 'en' | 'de';
type Messages = Record<MessageKey, string>;

export const LANGUAGES: Record<Language, string> = { en: 'English', de: 'Deutsch' };

const texts = { en: () => import('./en.json'), de: () => import('./de.json') };
const componentTexts = {
  en: () => import('@cloudscape-design/components/i18n/messages/all.en'),
  de: () => import('@cloudscape-design/components/i18n/messages/all.de'),
};

let messages = {} as Messages;
let language: Language = 'en';
let ofComponents: readonly I18nProviderProps.Messages[] = [];

/** Load a language, which the next rendering shows. */
export async function loadLanguage(name: Language): Promise<void> {
  const [own, components] = await Promise.all([texts[name](), componentTexts[name]()]);
  messages = own.default;
  ofComponents = [components.default];
  language = name;
  document.documentElement.lang = name;
}

export function currentLanguage(): Language {
  return language;
}

/** The texts inside of the components, for `I18nProvider`. */
export function componentMessages(): readonly I18nProviderProps.Messages[] {
  return ofComponents;
}

/** The message of a key in the chosen language, with values in the place of `{name}`. */
export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return messages[key].replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === 'number' ? formatNumber(value) : value;
  });
}

/** Whether there is a message of that key. For keys that end with a value of the API, which may be a newer one. */
export function isMessageKey(key: string): key is MessageKey {
  return key in messages;
}

/** The message `PREFIX.VALUE`, or the value itself if this build does not know it. */
export function nameOf(prefix: string, value: string | undefined): string {
  if (value === undefined) return '–';
  const key = `${prefix}.${value}`;
  return isMessageKey(key) ? t(key) : value;
}

export function formatNumber(value: number): string {
  return new Intl.NumberFormat(language).format(value);
}

/** A time in the reader's zone. `seconds` since the Unix epoch. */
export function formatTime(seconds: number | undefined): string {
  if (seconds === undefined) return '–';
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(seconds * 1000);
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** A size in decimal units, as registries and clients print it. */
export function formatSize(bytes: number | undefined): string {
  if (bytes === undefined) return '–';
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  const unit = UNITS[power] ?? 'byte';
  const unitDisplay = power === 0 ? 'long' : 'short';
  const format = new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay, maximumFractionDigits: 1 });
  return format.format(bytes / 1000 ** power).replace(' ', '\u00a0');
}
