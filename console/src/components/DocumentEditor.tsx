import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { type ReactNode, useState } from 'react';

import { notify } from '../app/notifications';
import { t } from '../messages';
import { ConfirmDialog } from './ConfirmDialog';
import { ErrorNote } from './ErrorNote';
import { formatJson } from './json';
import { JsonEditor } from './JsonEditor';
import { Part } from './Part';
import type { EditedDocument } from './useDocument';

interface DocumentEditorProps {
  document: EditedDocument;
  label: string;
  description?: string;
  /** The text with which a new document begins. */
  template: string;
  /** Absent for a document that must exist. */
  remove?: () => Promise<void>;
  children?: ReactNode;
}

/** The editor of a policy: save, delete, begin from a template, and what to do if somebody else saved it, too. */
export function DocumentEditor({ document, label, description, template, remove, children }: DocumentEditorProps) {
  const [asking, setAsking] = useState(false);
  const save = async (act: () => Promise<boolean>) => {
    if (await act()) notify('success', t('document.saved', { name: label }));
  };
  return (
    <Part of={document.base} lines={12}>
      {(saved) => (
        <SpaceBetween size="m">
          {saved === '' && document.text === '' && (
            <Alert type="info" action={<Button onClick={() => document.change(template)}>{t('document.begin')}</Button>}>
              {t('document.none')}
            </Alert>
          )}
          {document.foreign !== undefined && <Foreign document={document} save={save} />}
          <JsonEditor
            label={label}
            {...(description === undefined ? {} : { description })}
            value={document.text}
            onChange={document.change}
          />
          <ErrorNote error={document.action.error} />
          <SpaceBetween direction="horizontal" size="xs">
            <Button
              variant="primary"
              disabled={!document.isChanged || !document.isValid}
              loading={document.action.busy}
              onClick={() => void save(document.save)}
            >
              {t('action.save')}
            </Button>
            <Button disabled={!document.isChanged} onClick={document.reset}>
              {t('document.reset')}
            </Button>
            <Button disabled={!document.isValid} onClick={() => document.change(formatJson(document.text))}>
              {t('document.format')}
            </Button>
            {remove !== undefined && (
              <Button disabled={saved === ''} onClick={() => setAsking(true)}>
                {t('action.delete')}
              </Button>
            )}
          </SpaceBetween>
          {children}
          {asking && remove !== undefined && (
            <ConfirmDialog
              title={t('document.delete', { name: label })}
              warning={t('document.deleteWarning')}
              onClose={() => setAsking(false)}
              onConfirm={async () => {
                await remove();
                document.reset();
                document.base.set('');
                notify('success', t('document.deleted', { name: label }));
              }}
            />
          )}
        </SpaceBetween>
      )}
    </Part>
  );
}

function Foreign({ document, save }: { document: EditedDocument; save: (act: () => Promise<boolean>) => Promise<void> }) {
  return (
    <Alert
      type="warning"
      header={t('document.foreign')}
      action={
        <SpaceBetween direction="horizontal" size="xs">
          <Button onClick={document.takeForeign}>{t('document.takeForeign')}</Button>
          <Button onClick={() => void save(document.overwrite)}>{t('document.overwrite')}</Button>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="s">
        <Box>{t('document.foreignWhy')}</Box>
        <pre className="code scrolled">{document.foreign === '' ? t('document.removed') : formatJson(document.foreign ?? '')}</pre>
      </SpaceBetween>
    </Alert>
  );
}
