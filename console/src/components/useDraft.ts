import { useCallback, useEffect, useState } from 'react';

import { currentPlace } from '../app/router';

/**
 * State of a form that survives a reload of the page, for example after an update of the server. It is forgotten when
 * the form closes. Never use it for secrets.
 */
export function useDraft<T>(name: string, initial: T): [T, (value: T) => void, () => void] {
  const [key] = useState(() => `moorage.draft ${currentPlace().path} ${name}`);
  const [value, setValue] = useState<T>(() => (read(key) as T | undefined) ?? initial);
  useEffect(() => () => window.sessionStorage.removeItem(key), [key]);
  const change = useCallback(
    (next: T) => {
      window.sessionStorage.setItem(key, JSON.stringify(next));
      setValue(next);
    },
    [key],
  );
  const forget = useCallback(() => window.sessionStorage.removeItem(key), [key]);
  return [value, change, forget];
}

function read(key: string): unknown {
  const text = window.sessionStorage.getItem(key);
  return text === null ? undefined : (JSON.parse(text) as unknown);
}
