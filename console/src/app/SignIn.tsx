import Box from '@cloudscape-design/components/box';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useEffect } from 'react';

import type { SignedOut } from '../api/session';
import { t } from '../messages';
import { SignInForm } from './SignInForm';

/** The first screen of somebody who has no session. After signing in they are where the address says. */
export function SignIn({ session }: { session: SignedOut }) {
  useEffect(() => {
    document.title = `${t('signIn.title')} – Moorage`;
  });
  return (
    <main className="sign-in" id="content" tabIndex={-1}>
      <Container header={<Header variant="h1">{t('signIn.title')}</Header>}>
        <SpaceBetween size="m">
          <Box color="text-body-secondary">{t('signIn.about')}</Box>
          <SignInForm providers={session.providers} inDialog={false} />
        </SpaceBetween>
      </Container>
      <Box textAlign="center" color="text-body-secondary" fontSize="body-s" padding={{ top: 's' }}>
        {t('shell.version', { version: session.version })}
      </Box>
    </main>
  );
}
