import FormField from '@cloudscape-design/components/form-field';
import { lazy, Suspense } from 'react';

import { dark } from '../app/preferences';
import { useStore } from '../app/store';
import { t } from '../messages';
import { jsonProblem } from './json';
import { Lines } from './Part';

const CodeEditor = lazy(() => import('./CodeEditor'));

interface JsonEditorProps {
  label: string;
  description?: string;
  value: string;
  readOnly?: boolean;
  onChange?: (value: string) => void;
}

/** An editor of JSON that says in which line a mistake is. Its program is loaded when it is first shown. */
export function JsonEditor({ label, description, value, readOnly = false, onChange }: JsonEditorProps) {
  const isDark = useStore(dark);
  const problem = value.trim() === '' ? undefined : jsonProblem(value);
  return (
    <FormField
      label={label}
      description={description}
      stretch
      errorText={problem === undefined ? undefined : t('json.wrong', { ...problem })}
    >
      <Suspense fallback={<Lines count={10} />}>
        <CodeEditor
          value={value}
          label={label}
          readOnly={readOnly}
          dark={isDark}
          onChange={(text) => onChange?.(text)}
        />
      </Suspense>
    </FormField>
  );
}
