import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { ecr } from '../../api/client';
import type { SigningRule } from '../../api/ecr';
import { isCode } from '../../api/errors';
import { Part } from '../../components/Part';
import { TokenInput } from '../../components/TokenInput';
import { useLoad } from '../../components/useLoad';
import { t } from '../../messages';
import { RulesEditor } from './RulesEditor';

const MOST_RULES = 10;
const MOST_FILTERS = 100;
const PROFILE = /^arn:aws(-[a-z]+)*:signer:[a-z0-9-]+:\d{12}:\/signing-profiles\/\w{2,}$/;
const EXAMPLE = 'prod/*';
const NEW_RULE: SigningRule = { signingProfileArn: '' };

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
        {(rules) => (
          <RulesEditor
            key={JSON.stringify(rules)}
            title={t('signing.rules')}
            saved={rules}
            none={t('signing.none')}
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
    </Container>
  );
}

async function write(rules: SigningRule[]): Promise<void> {
  if (rules.length === 0) await ecr('DeleteSigningConfiguration', {});
  else await ecr('PutSigningConfiguration', { signingConfiguration: { rules } });
}

const isComplete = ({ signingProfileArn }: SigningRule): boolean => PROFILE.test(signingProfileArn);

interface RuleProps {
  rule: SigningRule;
  onChange: (rule: SigningRule) => void;
}

function Rule({ rule, onChange }: RuleProps) {
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
