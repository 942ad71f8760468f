import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import Input from '@cloudscape-design/components/input';

import type { ReplicationDestination } from '../../api/ecr';
import { t } from '../../messages';

const MOST = 100;

interface DestinationsProps {
  value: ReplicationDestination[];
  onChange: (value: ReplicationDestination[]) => void;
}

/** The registries to which a rule copies: each is a Region and an account. */
export function Destinations({ value, onChange }: DestinationsProps) {
  const change = (index: number, part: Partial<ReplicationDestination>) =>
    onChange(value.map((one, at) => (at === index ? { ...one, ...part } : one)));
  return (
    <AttributeEditor<ReplicationDestination>
      items={value}
      empty={t('state.none')}
      addButtonText={t('replication.addDestination')}
      removeButtonText={t('action.remove')}
      disableAddButton={value.length >= MOST}
      onAddButtonClick={() => onChange([...value, { region: '', registryId: '' }])}
      onRemoveButtonClick={(event) => onChange(value.filter((_, at) => at !== event.detail.itemIndex))}
      definition={[
        {
          label: t('replication.region'),
          control: ({ region }, index) => (
            <Input value={region} spellcheck={false} onChange={(event) => change(index, { region: event.detail.value.trim() })} />
          ),
          errorText: ({ region }) => (region === '' || REGION.test(region) ? undefined : t('replication.regionWrong')),
        },
        {
          label: t('replication.account'),
          control: ({ registryId }, index) => (
            <Input value={registryId} inputMode="numeric" onChange={(event) => change(index, { registryId: event.detail.value.trim() })} />
          ),
          errorText: ({ registryId }) => (registryId === '' || ACCOUNT.test(registryId) ? undefined : t('replication.accountWrong')),
        },
      ]}
    />
  );
}

const REGION = /^[0-9a-z-]{2,25}$/;
const ACCOUNT = /^\d{12}$/;

export function isValidDestination({ region, registryId }: ReplicationDestination): boolean {
  return REGION.test(region) && ACCOUNT.test(registryId);
}
