import Box from '@cloudscape-design/components/box';

import { Screen } from '../components/Screen';
import { t } from '../messages';

export function NotFound() {
  return (
    <Screen title={t('error.notFound')}>
      <Box>{t('error.notFoundWhy')}</Box>
    </Screen>
  );
}
