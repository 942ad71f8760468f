import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { ecr } from '../../api/client';
import type { RegistryScanningConfiguration, RegistryScanningRule } from '../../api/ecr';
import { notify } from '../../app/notifications';
import { Part } from '../../components/Part';
import { Screen } from '../../components/Screen';
import { SettingsForm } from '../../components/SettingsForm';
import { TokenInput } from '../../components/TokenInput';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { useLoad } from '../../components/useLoad';
import { t } from '../../messages';

type Frequency = RegistryScanningRule['scanFrequency'];

interface Draft {
  scanType: 'BASIC' | 'ENHANCED';
  onPush: string[];
  continuous: string[];
}

const FILTER = /^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$/;
const MOST = 100;
const EXAMPLE = 'prod*';

/** Which images are scanned, how, and when. */
export function Scanning() {
  const saved = useLoad('scanning configuration', async (signal) => {
    return (await ecr('GetRegistryScanningConfiguration', {}, signal)).scanningConfiguration ?? {};
  });
  return (
    <Screen title={t('nav.scanning')} description={t('scanning.why')}>
      <Part of={saved} lines={8}>
        {(configuration) => (
          <Editor key={JSON.stringify(configuration)} saved={draftOf(configuration)} onSaved={saved.reload} />
        )}
      </Part>
    </Screen>
  );
}

function draftOf({ scanType, rules = [] }: RegistryScanningConfiguration): Draft {
  const filters = (frequency: Frequency) =>
    rules
      .filter((rule) => rule.scanFrequency === frequency)
      .flatMap(({ repositoryFilters }) => repositoryFilters.map(({ filter }) => filter));
  return { scanType: scanType ?? 'BASIC', onPush: filters('SCAN_ON_PUSH'), continuous: filters('CONTINUOUS_SCAN') };
}

function rulesOf({ scanType, onPush, continuous }: Draft): RegistryScanningRule[] {
  const rule = (scanFrequency: Frequency, filters: string[]): RegistryScanningRule[] =>
    filters.length === 0
      ? []
      : [{ scanFrequency, repositoryFilters: filters.map((filter) => ({ filter, filterType: 'WILDCARD' })) }];
  return [...rule('SCAN_ON_PUSH', onPush), ...(scanType === 'ENHANCED' ? rule('CONTINUOUS_SCAN', continuous) : [])];
}

function Editor({ saved, onSaved }: { saved: Draft; onSaved: () => void }) {
  const [draft, setDraft, forget] = useDraft('scanning', saved);
  const action = useAction();
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const save = async () => {
    const done = await action.run(async () => {
      await ecr('PutRegistryScanningConfiguration', { scanType: draft.scanType, rules: rulesOf(draft) });
    });
    if (!done) return;
    forget();
    notify('success', t('document.saved', { name: t('nav.scanning') }));
    onSaved();
  };
  const filters = { constraint: t('scanning.filters'), errorText: t('scanning.filterWrong'), placeholder: EXAMPLE };
  return (
    <SettingsForm
      action={action}
      submitText={t('action.save')}
      disabled={JSON.stringify(draft) === JSON.stringify(saved)}
      onSubmit={() => void save()}
    >
      <Container header={<Header variant="h2">{t('scanning.type')}</Header>}>
        <RadioGroup
          ariaLabel={t('scanning.type')}
          value={draft.scanType}
          onChange={(event) => change({ scanType: event.detail.value === 'ENHANCED' ? 'ENHANCED' : 'BASIC' })}
          items={[
            { value: 'BASIC', label: t('scanning.BASIC'), description: t('scanning.basicWhy') },
            { value: 'ENHANCED', label: t('scanning.ENHANCED'), description: t('scanning.enhancedWhy') },
          ]}
        />
      </Container>
      <Container header={<Header variant="h2">{t('scanning.rules')}</Header>}>
        <SpaceBetween size="l">
          <TokenInput
            label={t('scanning.onPush')}
            {...filters}
            values={draft.onPush}
            most={MOST}
            isValid={(text) => FILTER.test(text)}
            onChange={(onPush) => change({ onPush })}
          />
          {draft.scanType === 'ENHANCED' && (
            <TokenInput
              label={t('scanning.continuous')}
              {...filters}
              values={draft.continuous}
              most={MOST}
              isValid={(text) => FILTER.test(text)}
              onChange={(continuous) => change({ continuous })}
            />
          )}
        </SpaceBetween>
      </Container>
    </SettingsForm>
  );
}
