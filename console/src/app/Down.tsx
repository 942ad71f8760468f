import Alert from '@cloudscape-design/components/alert';

import { t } from '../messages';

/** The whole page while the server does not answer at all. */
export function Down() {
  return (
    <main className="sign-in">
      <Alert type="warning">{t('error.unavailable')}</Alert>
    </main>
  );
}
