import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { type ReactNode, useState } from 'react';

import { t } from '../messages';
import { ErrorNote } from './ErrorNote';
import { useAction } from './useAction';

interface ConfirmDialogProps {
  title: string;
  warning: string;
  /** The text that must be typed before the button works; nothing if absent. */
  typed?: string;
  button?: string;
  children?: ReactNode;
  onConfirm: () => Promise<void>;
  onClose: () => void;
}

/** Ask before something that cannot be taken back. It closes when it succeeded, and shows the error otherwise. */
export function ConfirmDialog({ title, warning, typed, button, children, onConfirm, onClose }: ConfirmDialogProps) {
  const [text, setText] = useState('');
  const action = useAction();
  const confirm = async () => {
    if (await action.run(onConfirm)) onClose();
  };
  const allowed = typed === undefined || text === typed;
  return (
    <Modal
      visible
      header={title}
      onDismiss={onClose}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={onClose}>
              {t('action.cancel')}
            </Button>
            <Button variant="primary" disabled={!allowed} loading={action.busy} onClick={() => void confirm()}>
              {button ?? t('action.delete')}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <Alert type="warning">{warning}</Alert>
        {children}
        {typed !== undefined && (
          <FormField label={t('confirm.type', { text: typed })}>
            <Input value={text} onChange={(event) => setText(event.detail.value)} placeholder={typed} autoComplete="off" spellcheck={false} />
          </FormField>
        )}
        <ErrorNote error={action.error} />
      </SpaceBetween>
    </Modal>
  );
}
