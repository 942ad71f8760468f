import { useEffect, useRef, useState } from 'react';

/** How many requests for single rows are on their way at a time. */
const AT_A_TIME = 4;

/**
 * Load something for each row that is shown, a few at a time. Rows that fail have `null`; those that are on their way
 * are absent.
 */
export function useEach<T>(keys: string[], load: (key: string, signal: AbortSignal) => Promise<T>): Map<string, T | null> {
  const [results, setResults] = useState<Map<string, T | null>>(() => new Map());
  const latest = useRef(load);
  useEffect(() => {
    latest.current = load;
  });
  const joined = keys.join('\n');
  useEffect(() => {
    const abort = new AbortController();
    const waiting = joined === '' ? [] : joined.split('\n');
    const work = async () => {
      for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
        const result = await latest.current(key, abort.signal).catch(() => null);
        if (abort.signal.aborted) return;
        const done = key;
        setResults((old) => new Map(old).set(done, result));
      }
    };
    setResults(new Map());
    for (let worker = 0; worker < AT_A_TIME; worker += 1) void work();
    return () => abort.abort();
  }, [joined]);
  return results;
}
