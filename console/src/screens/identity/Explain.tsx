import Container from '@cloudscape-design/components/container';

import { Screen } from '../../components/Screen';
import { t } from '../../messages';
import { ExplainPanel } from './ExplainPanel';

/** Whether a user or role may do something, and why. */
export function Explain() {
  return (
    <Screen title={t('nav.explain')} description={t('explain.why')}>
      <Container>
        <ExplainPanel />
      </Container>
    </Screen>
  );
}
