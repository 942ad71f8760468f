import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useEffect } from 'react';

import type { SignedOut } from '../api/session';
import { t } from '../messages';
import { linkFailed } from './session';
import { SignInForm } from './SignInForm';
import { useStore } from './store';

/** The first screen of somebody who has no session. After signing in they are where the address says. */
export function SignIn({ session }: { session: SignedOut }) {
  useEffect(() => {
    document.title = `${t('signIn.title')} – Moorage`;
  });
  return (
    <main className="sign-in" id="content" tabIndex={-1}>
      <Container header={<Header variant="h1">{t('signIn.title')}</Header>}>
        <SpaceBetween size="m">
          {useStore(linkFailed) && <Alert type="error">{t('signIn.linkFailed')}</Alert>}
          <Box color="text-body-secondary">{t('signIn.about')}</Box>
          <SignInForm providers={session.providers} inDialog={false} />
        </SpaceBetween>
      </Container>
    </main>
  );
}
