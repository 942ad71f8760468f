import { useState } from 'react';

import { isDenied } from '../api/errors';
import { type Loaded, useLoad } from './useLoad';

export interface PageOf<T> {
  items: T[];
  nextToken?: string | undefined;
}

export interface Pages<T> extends Loaded<PageOf<T>> {
  /** From 1. */
  index: number;
  /** How many pages are known: those seen, and the next one if there is one. */
  known: number;
  hasMore: boolean;
  /** The caller may not even read the list, so nothing that changes it is offered. */
  refused: boolean;
  goTo: (index: number) => void;
}

/**
 * A list of which the server makes the pages. Only the page that is shown is loaded; tokens of earlier pages are kept,
 * so that one can go back. `key` names the list: search, order and filter belong to it.
 */
export function usePages<T>(
  key: string,
  load: (token: string | undefined, signal: AbortSignal) => Promise<PageOf<T>>,
): Pages<T> {
  const [position, setPosition] = useState<{ key: string; tokens: (string | undefined)[]; index: number }>({
    key,
    tokens: [undefined],
    index: 1,
  });
  const current = position.key === key ? position : { key, tokens: [undefined], index: 1 };
  const token = current.tokens[current.index - 1];
  const loaded = useLoad<PageOf<T>>(`${key} ${current.index} ${token ?? ''}`, (signal) => load(token, signal));
  const next = loaded.data?.nextToken;
  return {
    ...loaded,
    index: current.index,
    known: Math.max(current.tokens.length, current.index + (next === undefined ? 0 : 1)),
    hasMore: next !== undefined,
    refused: loaded.data === undefined && isDenied(loaded.error),
    goTo: (index) => {
      const tokens = [...current.tokens];
      if (index === current.index + 1 && next !== undefined) tokens[index - 1] = next;
      if (index >= 1 && index <= tokens.length) setPosition({ key, tokens, index });
    },
  };
}
