import Box from '@cloudscape-design/components/box';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';

import { Name } from '../../components/Name';
import { t } from '../../messages';

/** Keys and values that whoever built the image wrote. */
export function Annotations({ of }: { of: Record<string, string> }) {
  const entries = Object.entries(of);
  if (entries.length === 0) return <Box color="text-body-secondary">{t('state.none')}</Box>;
  return (
    <KeyValuePairs
      columns={2}
      items={entries.map(([key, value]) => ({ type: 'pair', label: key, value: <Name>{value}</Name> }))}
    />
  );
}
