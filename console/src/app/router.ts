import { createStore, useStore } from './store';

/** All paths of the console begin with it. */
export const BASE = '/console';

export interface Place {
  /** The path without the base, for example `/repositories`. */
  path: string;
  query: URLSearchParams;
}

function here(): Place {
  const { pathname, search } = window.location;
  const path = pathname.startsWith(BASE) ? pathname.slice(BASE.length) : pathname;
  return { path: path === '' ? '/' : path, query: new URLSearchParams(search) };
}

const place = createStore<Place>(here());
window.addEventListener('popstate', () => place.set(here()));

export function usePlace(): Place {
  return useStore(place);
}

export function currentPlace(): Place {
  return place.get();
}

/** The address of a path of the console. The chosen Region stays in it, so that addresses can be shared. */
export function href(path: string): string {
  const region = place.get().query.get('region');
  if (region === null || /[?&]region=/.test(path)) return `${BASE}${path}`;
  return `${BASE}${path}${path.includes('?') ? '&' : '?'}region=${encodeURIComponent(region)}`;
}

/** Go to an address that `href` returned. */
export function go(address: string, replace = false): void {
  window.history[replace ? 'replaceState' : 'pushState'](null, '', address);
  place.set(here());
  if (!replace) window.scrollTo(0, 0);
}

export function navigate(path: string, replace = false): void {
  go(href(path), replace);
}

/** For `onFollow` of Cloudscape's links: follow a link of the console without loading the page. */
export function follow(event: CustomEvent<{ href?: string; external?: boolean }>): void {
  const address = event.detail.href;
  if (address === undefined || event.detail.external === true || !address.startsWith(`${BASE}/`)) return;
  event.preventDefault();
  go(address);
}

/** Set or remove parameters of the query, without a new entry in the history. */
export function setQuery(changes: Record<string, string | undefined>): void {
  const query = new URLSearchParams(window.location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  go(`${window.location.pathname}${text === '' ? '' : `?${text}`}`, true);
}

export type Params = Record<string, string>;

/** Match `/repositories/*name/-/images/:digest`: `:x` is one segment, `*x` is one or more. */
export function match(pattern: string, path: string): Params | undefined {
  const names: string[] = [];
  const source = pattern.replace(/\/([:*])(\w+)/g, (_, kind: string, name: string) => {
    names.push(name);
    return kind === ':' ? '/([^/]+)' : '/((?!-/)(?:(?!/-(?:/|$)).)+?)';
  });
  const found = new RegExp(`^${source}/?$`).exec(path);
  if (found === null) return undefined;
  return Object.fromEntries(names.map((name, index) => [name, decode(found[index + 1] ?? '')]));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A path below a repository. Its name stays readable; `-` cannot be a part of a name, so it separates. */
export function repositoryPath(name: string, ...below: string[]): string {
  const rest = below.length === 0 ? '' : `/-/${below.map(encodeURIComponent).join('/').replaceAll('%3A', ':')}`;
  return `/repositories/${name}${rest}`;
}
