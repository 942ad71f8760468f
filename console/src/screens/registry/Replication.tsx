import SpaceBetween from '@cloudscape-design/components/space-between';
import Toggle from '@cloudscape-design/components/toggle';

import { ecr } from '../../api/client';
import type { ReplicationDestination, ReplicationRule } from '../../api/ecr';
import { Part } from '../../components/Part';
import { Screen } from '../../components/Screen';
import { TokenInput } from '../../components/TokenInput';
import { useLoad } from '../../components/useLoad';
import { t } from '../../messages';
import { Backfills } from './Backfills';
import { Destinations, isValidDestination } from './Destinations';
import { RulesEditor } from './RulesEditor';

const MOST_RULES = 25;
const MOST_FILTERS = 100;
const PREFIX = /^(?:[a-z0-9]+(?:[._-][a-z0-9]*)*\/)*[a-z0-9]*(?:[._-][a-z0-9]*)*$/;
const EXAMPLE = 'prod/';
const NEW_RULE: ReplicationRule = { destinations: [{ region: '', registryId: '' }] };

/** Which images are copied to other registries after each push. */
export function Replication() {
  const saved = useLoad('replication', async (signal) => {
    return (await ecr('DescribeRegistry', {}, signal)).replicationConfiguration?.rules ?? [];
  });
  return (
    <Screen title={t('nav.replication')} description={t('replication.why')}>
      <SpaceBetween size="l">
        <Part of={saved} lines={8}>
          {(rules) => (
            <RulesEditor
              key={JSON.stringify(rules)}
              title={t('nav.replication')}
              saved={rules}
              none={t('replication.none')}
              most={MOST_RULES}
              blank={NEW_RULE}
              isComplete={isComplete}
              write={write}
              onSaved={saved.reload}
            >
              {(rule, onChange) => <Rule rule={rule} onChange={onChange} />}
            </RulesEditor>
          )}
        </Part>
        <Backfills destinations={destinationsOf(saved.data ?? [])} />
      </SpaceBetween>
    </Screen>
  );
}

/** The destinations of all rules, each once. */
function destinationsOf(rules: ReplicationRule[]): ReplicationDestination[] {
  const all = rules.flatMap(({ destinations }) => destinations);
  return [...new Map(all.map((one) => [`${one.registryId} ${one.region}`, one])).values()];
}

const isComplete = ({ destinations }: ReplicationRule): boolean =>
  destinations.length > 0 && destinations.every(isValidDestination);

async function write(rules: ReplicationRule[]): Promise<void> {
  await ecr('PutReplicationConfiguration', { replicationConfiguration: { rules } });
}

interface RuleProps {
  rule: ReplicationRule;
  onChange: (rule: ReplicationRule) => void;
}

function Rule({ rule, onChange }: RuleProps) {
  const filters = (rule.repositoryFilters ?? []).map(({ filter }) => filter);
  const setFilters = (values: string[]) => {
    const wanted = values.map((filter) => ({ filter, filterType: 'PREFIX_MATCH' as const }));
    const { destinations, deleteReplication } = rule;
    onChange({
      destinations,
      ...(deleteReplication === undefined ? {} : { deleteReplication }),
      ...(wanted.length === 0 ? {} : { repositoryFilters: wanted }),
    });
  };
  return (
    <SpaceBetween size="l">
      <Destinations value={rule.destinations} onChange={(destinations) => onChange({ ...rule, destinations })} />
      <TokenInput
        label={t('replication.filters')}
        constraint={t('replication.filtersWhy')}
        errorText={t('replication.filterWrong')}
        placeholder={EXAMPLE}
        values={filters}
        most={MOST_FILTERS}
        isValid={(text) => text.length >= 2 && PREFIX.test(text)}
        onChange={setFilters}
      />
      <Toggle
        checked={rule.deleteReplication?.enabled ?? false}
        description={t('replication.deletesWhy')}
        onChange={(event) => onChange({ ...rule, deleteReplication: { enabled: event.detail.checked } })}
      >
        {t('replication.deletes')}
      </Toggle>
    </SpaceBetween>
  );
}
