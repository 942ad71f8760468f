import Button from '@cloudscape-design/components/button';
import Form from '@cloudscape-design/components/form';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { ReactNode } from 'react';

import { t } from '../messages';
import { ErrorNote } from './ErrorNote';
import type { Action } from './useAction';

interface SettingsFormProps {
  action: Action;
  submitText: string;
  disabled?: boolean;
  children: ReactNode;
  onSubmit: () => void;
  onCancel?: () => void;
}

/** A form with its buttons, and the error of its last attempt beside them. */
export function SettingsForm({ action, submitText, disabled = false, children, onSubmit, onCancel }: SettingsFormProps) {
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!disabled && !action.busy) onSubmit();
      }}
    >
      <Form
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            {onCancel !== undefined && (
              <Button formAction="none" variant="link" onClick={onCancel}>
                {t('action.cancel')}
              </Button>
            )}
            <Button variant="primary" formAction="submit" loading={action.busy} disabled={disabled}>
              {submitText}
            </Button>
          </SpaceBetween>
        }
      >
        <SpaceBetween size="l">
          {children}
          <ErrorNote error={action.error} />
        </SpaceBetween>
      </Form>
    </form>
  );
}
