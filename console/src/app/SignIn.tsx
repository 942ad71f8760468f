import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useEffect } from 'react';

import type { SignedOut } from '../api/session';
import { t } from '../messages';
import { usePlace } from './router';
import { linkFailed } from './session';
import { SignInForm } from './SignInForm';
import { useStore } from './store';

/** The first screen of somebody who has no session. After signing in they are where the address says. */
export function SignIn({ session }: { session: SignedOut }) {
  const failure = useFailure();
  useEffect(() => {
    document.title = `${t('signIn.title')} – Moorage`;
  });
  return (
    <main className="sign-in" id="content" tabIndex={-1}>
      <Container header={<Header variant="h1">{t('signIn.title')}</Header>}>
        <SpaceBetween size="m">
          {failure !== undefined && <Alert type="error">{failure}</Alert>}
          <Box color="text-body-secondary">{t('signIn.about')}</Box>
          <SignInForm providers={session.providers} inDialog={false} />
        </SpaceBetween>
      </Container>
    </main>
  );
}

/** Why a sign-in did not succeed that began outside this page: with a link, or with an issuer. */
function useFailure(): string | undefined {
  const ofLink = useStore(linkFailed);
  const place = usePlace();
  if (ofLink) return t('signIn.linkFailed');
  switch (place.query.get('failed')) {
    case null:
      return undefined;
    case 'denied':
      return t('signIn.failed.denied');
    case 'expired':
      return t('signIn.failed.expired');
    case 'no-role':
      return t('signIn.failed.noRole');
    case 'unavailable':
      return t('signIn.failed.unavailable');
    default:
      return t('signIn.failed.invalid');
  }
}
