import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Box from '@cloudscape-design/components/box';

import { t } from '../messages';
import { ended, giveUp, useSession } from './session';
import { SignInForm } from './SignInForm';
import { useStore } from './store';

/** Opens above the screen when the session ended. The screen stays, with everything that was typed. */
export function SignInDialog() {
  const open = useStore(ended);
  const { providers } = useSession();
  if (!open) return null;
  return (
    <Modal visible header={t('signIn.again')} onDismiss={giveUp}>
      <SpaceBetween size="m">
        <Box>{t('signIn.againWhy')}</Box>
        <SignInForm providers={providers} inDialog />
      </SpaceBetween>
    </Modal>
  );
}
