import { useState } from 'react';

import { formatJson, jsonProblem } from './json';
import { type Action, useAction } from './useAction';
import { useDraft } from './useDraft';
import { type Loaded, useLoad } from './useLoad';

export interface DocumentSource {
  /** Names the document, for example `policy of team/app`. */
  key: string;
  /** The text at the server; empty if there is none. */
  read: (signal?: AbortSignal) => Promise<string>;
  write: (text: string) => Promise<void>;
}

export interface EditedDocument {
  /** The text as it was when it was read. */
  base: Loaded<string>;
  text: string;
  change: (text: string) => void;
  isChanged: boolean;
  isValid: boolean;
  action: Action;
  /** What somebody else saved in the meantime. Set if `save` found it; then nothing was saved. */
  foreign: string | undefined;
  save: () => Promise<boolean>;
  /** Save although somebody else did. */
  overwrite: () => Promise<boolean>;
  /** Take what the other saved, and drop one's own text. */
  takeForeign: () => void;
  reset: () => void;
}

/**
 * A text that several people may edit: it is read again before it is saved, so the second of two editors learns of the
 * first. The API has no conditions for writes; between reading and writing some milliseconds remain.
 */
export function useDocument(source: DocumentSource): EditedDocument {
  const base = useLoad(source.key, source.read);
  // The text that somebody began to change is a draft; it remembers what it began from.
  const [draft, setDraft, forget] = useDraft<{ from: string; text: string } | null>(source.key, null);
  const [foreign, setForeign] = useState<string>();
  const action = useAction();
  const original = base.data ?? '';
  const from = draft?.from ?? original;
  const text = draft?.text ?? formatJson(original);

  const settle = (saved: string) => {
    setForeign(undefined);
    setDraft(null);
    forget();
    base.set(saved);
  };
  const write = async () => {
    await source.write(text);
    settle(await source.read());
  };
  const save = async () => {
    let hasForeign = false;
    const done = await action.run(async () => {
      const now = await source.read();
      hasForeign = now !== from;
      if (hasForeign) setForeign(now);
      else await write();
    });
    return done && !hasForeign;
  };
  return {
    base,
    text,
    change: (next) => {
      if (next === text) return;
      setDraft(next === formatJson(original) && from === original ? null : { from, text: next });
    },
    isChanged: draft !== null,
    isValid: jsonProblem(text) === undefined,
    action,
    foreign,
    save,
    overwrite: () => action.run(write),
    takeForeign: () => settle(foreign ?? ''),
    reset: () => {
      setDraft(null);
      forget();
      setForeign(undefined);
      action.clear();
    },
  };
}
