import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import { Component, type ReactNode } from 'react';

import { t } from '../messages';

/** Catches a screen that fails to render or to load its script, so that the rest of the console stays usable. */
export class ScreenBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <Alert type="error" action={<Button onClick={() => window.location.reload()}>{t('action.reloadPage')}</Button>}>
        {t('error.screen')}
      </Alert>
    );
  }
}
