import { useCallback, useEffect, useRef, useState } from 'react';

import { connection } from '../app/connection';
import { useStore } from '../app/store';

export interface Loaded<T> {
  data: T | undefined;
  error: unknown;
  loading: boolean;
  reload: () => void;
  /** Replace the data, for example with the answer to a change. */
  set: (data: T) => void;
}

interface State<T> {
  key: string;
  data: T | undefined;
  error: unknown;
  loading: boolean;
}

/**
 * Load something from the server. `key` names what: when it changes, that is loaded and the old data goes.
 * A reload keeps the old data until the new one is there, so that nothing jumps.
 */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<State<T>>({ key, data: undefined, error: undefined, loading: true });
  const [attempt, setAttempt] = useState(0);
  const { recoveries } = useStore(connection);
  const latest = useRef(load);
  useEffect(() => {
    latest.current = load;
  });
  useEffect(() => {
    const abort = new AbortController();
    setState((old) =>
      old.key === key ? { ...old, loading: true } : { key, data: undefined, error: undefined, loading: true },
    );
    latest.current(abort.signal).then(
      (data) => {
        if (!abort.signal.aborted) setState({ key, data, error: undefined, loading: false });
      },
      (error: unknown) => {
        if (!abort.signal.aborted) setState((old) => ({ ...old, error, loading: false }));
      },
    );
    return () => abort.abort();
  }, [key, attempt, recoveries]);
  const reload = useCallback(() => setAttempt((count) => count + 1), []);
  const set = useCallback((data: T) => setState({ key, data, error: undefined, loading: false }), [key]);
  const current = state.key === key ? state : { data: undefined, error: undefined, loading: true };
  return { data: current.data, error: current.error, loading: current.loading, reload, set };
}
