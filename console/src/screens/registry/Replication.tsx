import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Toggle from '@cloudscape-design/components/toggle';

import { ecr } from '../../api/client';
import type { ReplicationDestination, ReplicationRule } from '../../api/ecr';
import { notify } from '../../app/notifications';
import { Part } from '../../components/Part';
import { Screen } from '../../components/Screen';
import { SettingsForm } from '../../components/SettingsForm';
import { TokenInput } from '../../components/TokenInput';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { useLoad } from '../../components/useLoad';
import { t } from '../../messages';
import { Backfills } from './Backfills';
import { Destinations, isValidDestination } from './Destinations';

const MOST_RULES = 25;
const MOST_FILTERS = 100;
const PREFIX = /^(?:[a-z0-9]+(?:[._-][a-z0-9]*)*\/)*[a-z0-9]*(?:[._-][a-z0-9]*)*$/;
const EXAMPLE = 'prod/';

/** Which images are copied to other registries after each push. */
export function Replication() {
  const saved = useLoad('replication', async (signal) => {
    return (await ecr('DescribeRegistry', {}, signal)).replicationConfiguration?.rules ?? [];
  });
  return (
    <Screen title={t('nav.replication')} description={t('replication.why')}>
      <SpaceBetween size="l">
        <Part of={saved} lines={8}>
          {(rules) => <Editor key={JSON.stringify(rules)} saved={rules} onSaved={saved.reload} />}
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

function Editor({ saved, onSaved }: { saved: ReplicationRule[]; onSaved: () => void }) {
  const [rules, setRules, forget] = useDraft('replication', saved);
  const action = useAction();
  const save = async () => {
    const done = await action.run(async () => {
      await ecr('PutReplicationConfiguration', { replicationConfiguration: { rules } });
    });
    if (!done) return;
    forget();
    notify('success', t('document.saved', { name: t('nav.replication') }));
    onSaved();
  };
  const isValid = rules.every(({ destinations }) => destinations.length > 0 && destinations.every(isValidDestination));
  return (
    <SettingsForm
      action={action}
      submitText={t('action.save')}
      disabled={JSON.stringify(rules) === JSON.stringify(saved) || !isValid}
      onSubmit={() => void save()}
    >
      {rules.length === 0 && <Box color="text-body-secondary">{t('replication.none')}</Box>}
      {rules.map((rule, index) => (
        <Rule
          key={index}
          number={index + 1}
          rule={rule}
          onChange={(changed) => setRules(rules.map((one, at) => (at === index ? changed : one)))}
          onRemove={() => setRules(rules.filter((_, at) => at !== index))}
        />
      ))}
      <Button
        formAction="none"
        iconName="add-plus"
        disabled={rules.length >= MOST_RULES}
        onClick={() => setRules([...rules, { destinations: [{ region: '', registryId: '' }] }])}
      >
        {t('replication.addRule')}
      </Button>
    </SettingsForm>
  );
}

interface RuleProps {
  number: number;
  rule: ReplicationRule;
  onChange: (rule: ReplicationRule) => void;
  onRemove: () => void;
}

function Rule({ number, rule, onChange, onRemove }: RuleProps) {
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
    <Container
      header={
        <Header
          variant="h2"
          actions={
            <Button formAction="none" onClick={onRemove} ariaLabel={t('replication.removeRule', { number })}>
              {t('action.remove')}
            </Button>
          }
        >
          {t('replication.rule', { number })}
        </Header>
      }
    >
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
    </Container>
  );
}
