import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';

import { ApiError, isDenied, missingAction, NewerBuild, Unavailable } from '../api/errors';
import { t } from '../messages';
import { Name } from './Name';

/** What went wrong, in words: for messages above a screen. */
export function errorText(error: unknown): string {
  if (error instanceof Unavailable) return t('error.unavailable');
  if (error instanceof NewerBuild) return t('error.newerBuild');
  if (!(error instanceof ApiError)) return t('error.unexpected');
  if (error.code === 'SessionEnded') return t('error.sessionEnded');
  return error.message === '' ? error.code : error.message;
}

/** An error in the place of what could not be loaded or done. A refusal names the permission that is missing. */
export function ErrorNote({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  if (error === undefined) return null;
  const action =
    onRetry === undefined ? undefined : (
      <Button onClick={onRetry} iconName="refresh">
        {t('action.retry')}
      </Button>
    );
  if (isDenied(error)) {
    const missing = missingAction(error);
    return (
      <Alert type="info" header={t('error.denied')} action={action}>
        {missing === undefined ? <Name>{error.message}</Name> : t('error.deniedAction', { action: missing })}
      </Alert>
    );
  }
  return (
    <Alert type="error" action={action}>
      <Name>{errorText(error)}</Name>
    </Alert>
  );
}
