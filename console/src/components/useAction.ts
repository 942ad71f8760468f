import { useCallback, useState } from 'react';

export interface Action {
  busy: boolean;
  error: unknown;
  /** Run it; returns whether it succeeded. */
  run: (act: () => Promise<void>) => Promise<boolean>;
  clear: () => void;
}

/** Something that a person starts, such as a deletion: it runs once at a time, and keeps its error. */
export function useAction(): Action {
  const [state, setState] = useState<{ busy: boolean; error: unknown }>({ busy: false, error: undefined });
  const run = useCallback(async (act: () => Promise<void>) => {
    setState({ busy: true, error: undefined });
    try {
      await act();
      setState({ busy: false, error: undefined });
      return true;
    } catch (error) {
      setState({ busy: false, error });
      return false;
    }
  }, []);
  const clear = useCallback(() => setState({ busy: false, error: undefined }), []);
  return { ...state, run, clear };
}
