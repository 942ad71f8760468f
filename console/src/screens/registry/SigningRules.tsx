import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { ecr } from '../../api/client';
import type { SigningRule } from '../../api/ecr';
import { isCode } from '../../api/errors';
import { notify } from '../../app/notifications';
import { Part } from '../../components/Part';
import { SettingsForm } from '../../components/SettingsForm';
import { TokenInput } from '../../components/TokenInput';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { useLoad } from '../../components/useLoad';
import { t } from '../../messages';

const MOST_RULES = 10;
const MOST_FILTERS = 100;
const PROFILE = /^arn:aws(-[a-z]+)*:signer:[a-z0-9-]+:\d{12}:\/signing-profiles\/\w{2,}$/;
const EXAMPLE = 'prod/*';

/** The rules that say which profile signs which repositories. */
export function SigningRules() {
  const saved = useLoad('signing rules', async (signal) => {
    try {
      return (await ecr('GetSigningConfiguration', {}, signal)).signingConfiguration?.rules ?? [];
    } catch (error) {
      if (isCode(error, 'SigningConfigurationNotFoundException')) return [];
      throw error;
    }
  });
  return (
    <Container header={<Header variant="h2">{t('signing.rules')}</Header>}>
      <Part of={saved} lines={5}>
        {(rules) => <Editor key={JSON.stringify(rules)} saved={rules} onSaved={saved.reload} />}
      </Part>
    </Container>
  );
}

function Editor({ saved, onSaved }: { saved: SigningRule[]; onSaved: () => void }) {
  const [rules, setRules, forget] = useDraft('signing', saved);
  const action = useAction();
  const save = async () => {
    const done = await action.run(async () => {
      if (rules.length === 0) await ecr('DeleteSigningConfiguration', {});
      else await ecr('PutSigningConfiguration', { signingConfiguration: { rules } });
    });
    if (!done) return;
    forget();
    notify('success', t('document.saved', { name: t('signing.rules') }));
    onSaved();
  };
  const replace = (index: number, rule: SigningRule) => setRules(rules.map((one, at) => (at === index ? rule : one)));
  return (
    <SettingsForm
      action={action}
      submitText={t('action.save')}
      disabled={JSON.stringify(rules) === JSON.stringify(saved) || !rules.every(isComplete)}
      onSubmit={() => void save()}
    >
      {rules.length === 0 && <Box color="text-body-secondary">{t('signing.none')}</Box>}
      {rules.map((rule, index) => (
        <Rule
          key={index}
          number={index + 1}
          rule={rule}
          onChange={(changed) => replace(index, changed)}
          onRemove={() => setRules(rules.filter((_, at) => at !== index))}
        />
      ))}
      <Button
        formAction="none"
        iconName="add-plus"
        disabled={rules.length >= MOST_RULES}
        onClick={() => setRules([...rules, { signingProfileArn: '' }])}
      >
        {t('replication.addRule')}
      </Button>
    </SettingsForm>
  );
}

const isComplete = ({ signingProfileArn }: SigningRule): boolean => PROFILE.test(signingProfileArn);

interface RuleProps {
  number: number;
  rule: SigningRule;
  onChange: (rule: SigningRule) => void;
  onRemove: () => void;
}

function Rule({ number, rule, onChange, onRemove }: RuleProps) {
  const { signingProfileArn, repositoryFilters = [] } = rule;
  const change = (arn: string, filters: string[]) =>
    onChange({
      signingProfileArn: arn,
      ...(filters.length === 0
        ? {}
        : { repositoryFilters: filters.map((filter) => ({ filter, filterType: 'WILDCARD_MATCH' as const })) }),
    });
  const filters = repositoryFilters.map(({ filter }) => filter);
  const wrong = signingProfileArn !== '' && !isComplete(rule);
  return (
    <SpaceBetween size="m">
      <Header
        variant="h3"
        actions={
          <Button formAction="none" onClick={onRemove} ariaLabel={t('replication.removeRule', { number })}>
            {t('action.remove')}
          </Button>
        }
      >
        {t('replication.rule', { number })}
      </Header>
      <FormField label={t('signing.profileArn')} errorText={wrong ? t('signing.arnWrong') : undefined}>
        <Input
          value={signingProfileArn}
          spellcheck={false}
          onChange={(event) => change(event.detail.value.trim(), filters)}
        />
      </FormField>
      <TokenInput
        label={t('signing.filters')}
        constraint={t('signing.filtersWhy')}
        errorText={t('signing.filterWrong')}
        placeholder={EXAMPLE}
        values={filters}
        most={MOST_FILTERS}
        isValid={(text) => /^[a-z0-9*._/-]{1,256}$/.test(text)}
        onChange={(values) => change(signingProfileArn, values)}
      />
    </SpaceBetween>
  );
}
