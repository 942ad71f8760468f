import type { I18nProviderProps } from '@cloudscape-design/components/i18n';

import type common from './en/common.json';
import type identity from './en/identity.json';
import type operating from './en/operating.json';
import type registry from './en/registry.json';
import type repository from './en/repository.json';

/** The texts of each topic of screens. `common` has those of the first screen, and those that several topics have. */
interface Topics {
  common: typeof common;
  identity: typeof identity;
  operating: typeof operating;
  registry: typeof registry;
  repository: typeof repository;
}

export type Topic = keyof Topics;
export type MessageKey = { [Name in Topic]: keyof Topics[Name] }[Topic];
export type Language = 'en' | 'de';
type Texts = Record<string, string>;

export const LANGUAGES: Record<Language, string> = { en: 'English', de: 'Deutsch' };

const files = import.meta.glob<Texts>('./*/*.json', { import: 'default' });
const componentTexts = {
  en: () => import('@cloudscape-design/components/i18n/messages/all.en'),
  de: () => import('@cloudscape-design/components/i18n/messages/all.de'),
};

/** The topics that screens have asked for. */
const topics = new Set<Topic>(['common']);
const messages: Record<Language, Texts> = { en: {}, de: {} };
let language: Language = 'en';
let ofComponents: readonly I18nProviderProps.Messages[] = [];

async function read(name: Language, topic: Topic): Promise<void> {
  Object.assign(messages[name], await files[`./${name}/${topic}.json`]?.());
}

/** Load a language, which the next rendering shows. */
export async function loadLanguage(name: Language): Promise<void> {
  const components = componentTexts[name]();
  // A screen may ask for its topic meanwhile.
  for (let known = 0; known < topics.size; ) {
    known = topics.size;
    await Promise.all([...topics].map((topic) => read(name, topic)));
  }
  ofComponents = [(await components).default];
  language = name;
  document.documentElement.lang = name;
}

/** Load the texts of a topic before its screen is shown, in the language that is shown then. */
export async function loadTopic(topic: Topic): Promise<void> {
  topics.add(topic);
  let loaded: Language;
  do {
    loaded = language;
    await read(loaded, topic);
  } while (loaded !== language);
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
  const text = messages[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === 'number' ? formatNumber(value) : value;
  });
}

/** Whether there is a message of that key. For keys that end with a value of the API, which may be a newer one. */
export function isMessageKey(key: string): key is MessageKey {
  return key in messages[language];
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
