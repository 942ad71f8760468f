import SpaceBetween from '@cloudscape-design/components/space-between';

import { Screen } from '../../components/Screen';
import { t } from '../../messages';
import { SigningProfiles } from './SigningProfiles';
import { SigningRules } from './SigningRules';

/** Which images are signed on push, and with what. */
export function Signing() {
  return (
    <Screen title={t('nav.signing')} description={t('signing.why')}>
      <SpaceBetween size="l">
        <SigningRules />
        <SigningProfiles />
      </SpaceBetween>
    </Screen>
  );
}
