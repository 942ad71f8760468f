import { json } from '@codemirror/lang-json';
import { linter, lintGutter } from '@codemirror/lint';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import { oneDark } from '@codemirror/theme-one-dark';
import { basicSetup, EditorView } from 'codemirror';
import { useEffect, useRef } from 'react';

import { t } from '../messages';
import { jsonProblem } from './json';

export interface CodeEditorProps {
  value: string;
  label: string;
  readOnly: boolean;
  dark: boolean;
  onChange: (value: string) => void;
}

const LOOK = EditorView.theme({
  '&': { fontSize: '13px', maxHeight: '36rem', minHeight: '20rem', backgroundColor: '#fff', color: '#0f141a' },
  '&.cm-focused': { outline: '2px solid #006ce0' },
  '.cm-scroller': { fontFamily: "ui-monospace, 'SFMono-Regular', Menlo, Consolas, monospace", overflow: 'auto' },
});

/** The numbers of lines in the dark look, light enough to be read. */
const DARK_GUTTERS = EditorView.theme({ '.cm-gutters': { color: '#b8c0cc' } }, { dark: true });

const problems = linter((view) => {
  const text = view.state.doc.toString();
  const problem = text.trim() === '' ? undefined : jsonProblem(text);
  if (problem === undefined) return [];
  const to = Math.min(problem.position + 1, view.state.doc.length);
  return [{ from: Math.min(problem.position, to), to, severity: 'error', message: t('json.wrong', { ...problem }) }];
});

/** What depends on properties, and changes without a new editor. */
const changing = (label: string, readOnly: boolean, dark: boolean): Extension => [
  EditorState.readOnly.of(readOnly),
  EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false' }),
  dark ? [DARK_GUTTERS, oneDark] : [],
];

/** CodeMirror in a shadow root: there its styles are adopted sheets, which the policy of the page allows. */
export default function CodeEditor({ value, label, readOnly, dark, onChange }: CodeEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView>(undefined);
  const variable = useRef(new Compartment());
  const report = useRef(onChange);
  useEffect(() => {
    report.current = onChange;
  });
  useEffect(() => {
    if (host.current === null) return;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: 'open' });
    const view = new EditorView({
      root,
      parent: root,
      extensions: [
        variable.current.of([]),
        basicSetup,
        json(),
        problems,
        lintGutter(),
        EditorView.lineWrapping,
        LOOK,
        EditorView.updateListener.of((update) => {
          if (update.docChanged) report.current(update.state.doc.toString());
        }),
      ],
    });
    view.scrollDOM.tabIndex = 0; // A long text is scrolled with the keyboard.
    editor.current = view;
    return () => view.destroy();
  }, []);
  useEffect(() => {
    editor.current?.dispatch({ effects: variable.current.reconfigure(changing(label, readOnly, dark)) });
  }, [label, readOnly, dark]);
  useEffect(() => {
    const view = editor.current;
    if (view === undefined || view.state.doc.toString() === value) return;
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } });
  }, [value]);
  return <div className="editor" ref={host} />;
}
