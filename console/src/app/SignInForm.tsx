import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { type SyntheticEvent, useState } from 'react';

import { type Provider, providerPath, readSession, signIn } from '../api/session';
import { ErrorNote } from '../components/ErrorNote';
import { useAction } from '../components/useAction';
import { t } from '../messages';
import { accept } from './session';

interface SignInFormProps {
  providers: Provider[];
  /** In a dialog above a screen: the page must not be left, so issuers open in a window of their own. */
  inDialog: boolean;
}

/** Sign in with an access key, or with an account of an OpenID Connect issuer. */
export function SignInForm({ providers, inDialog }: SignInFormProps) {
  const [accessKeyId, setAccessKeyId] = useState('');
  const [secretAccessKey, setSecret] = useState('');
  const [sessionToken, setSessionToken] = useState('');
  const [temporary, setTemporary] = useState(false);
  const action = useAction();
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const key = { accessKeyId: accessKeyId.trim(), secretAccessKey: secretAccessKey.trim() };
    const token = sessionToken.trim();
    void action.run(async () => accept(await signIn(token === '' ? key : { ...key, sessionToken: token })));
  };
  return (
    <SpaceBetween size="l">
      {providers.length > 0 && <Providers providers={providers} inDialog={inDialog} />}
      <form onSubmit={submit}>
        <SpaceBetween size="m">
          <ErrorNote error={action.error} />
          <FormField label={t('signIn.accessKeyId')}>
            <Input value={accessKeyId} onChange={(e) => setAccessKeyId(e.detail.value)} autoFocus autoComplete="username" spellcheck={false} />
          </FormField>
          <FormField label={t('signIn.secretAccessKey')}>
            <Input type="password" value={secretAccessKey} onChange={(e) => setSecret(e.detail.value)} autoComplete="current-password" />
          </FormField>
          {temporary || accessKeyId.trim().startsWith('ASIA') ? (
            <FormField label={t('signIn.sessionToken')} description={t('signIn.sessionTokenWhy')}>
              <Input type="password" value={sessionToken} onChange={(e) => setSessionToken(e.detail.value)} autoComplete="off" />
            </FormField>
          ) : (
            <Button variant="inline-link" formAction="none" onClick={() => setTemporary(true)}>
              {t('signIn.temporary')}
            </Button>
          )}
          <Button variant="primary" formAction="submit" loading={action.busy} fullWidth disabled={accessKeyId === '' || secretAccessKey === ''}>
            {t('signIn.submit')}
          </Button>
        </SpaceBetween>
      </form>
    </SpaceBetween>
  );
}

function Providers({ providers, inDialog }: SignInFormProps) {
  return (
    <SpaceBetween size="s">
      {providers.map((provider) =>
        inDialog ? (
          <Button key={provider.id} fullWidth formAction="none" onClick={() => openWindow(provider)}>
            {t('signIn.with', { name: provider.label })}
          </Button>
        ) : (
          <Button key={provider.id} fullWidth href={providerPath(provider, false)}>
            {t('signIn.with', { name: provider.label })}
          </Button>
        ),
      )}
      <Box textAlign="center" color="text-body-secondary">
        {t('signIn.or')}
      </Box>
    </SpaceBetween>
  );
}

/** What somebody may take at the issuer, in seconds: as long as the server waits. */
const SIGN_IN_SECONDS = 600;

/**
 * Sign in in another window, and look every second whether it succeeded. The window may seem to be closed while it is
 * at the issuer: that cuts the connection between windows, if its pages are isolated.
 */
function openWindow(provider: Provider): void {
  const opened = window.open(providerPath(provider, true), 'moorage-sign-in', 'popup,width=520,height=720');
  let left = SIGN_IN_SECONDS;
  const timer = window.setInterval(() => {
    left -= 1;
    if (left <= 0) window.clearInterval(timer);
    readSession().then(
      (next) => {
        if (!next.signedIn) return;
        window.clearInterval(timer);
        opened?.close();
        accept(next);
      },
      () => undefined,
    );
  }, 1000);
}
