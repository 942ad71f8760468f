import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { ecr } from '../../api/client';
import { notify } from '../../app/notifications';
import { Part } from '../../components/Part';
import { Screen } from '../../components/Screen';
import { SettingsForm } from '../../components/SettingsForm';
import { useAction } from '../../components/useAction';
import { useLoad } from '../../components/useLoad';
import { nameOf, t } from '../../messages';

/** The settings of an account, each with its values. */
const SETTINGS = [
  { name: 'BLOB_MOUNTING', values: ['ENABLED', 'DISABLED'], titleKey: 'settings.mounting', why: 'settings.mountingWhy' },
  { name: 'REGISTRY_POLICY_SCOPE', values: ['V2', 'V1'], titleKey: 'settings.scope', why: 'settings.scopeWhy' },
  { name: 'BASIC_SCAN_TYPE_VERSION', values: ['AWS_NATIVE', 'CLAIR'], titleKey: 'settings.scan', why: 'settings.scanWhy' },
] as const;

export function Settings() {
  return (
    <Screen title={t('nav.settings')}>
      <SpaceBetween size="l">
        {SETTINGS.map((setting) => (
          <Setting key={setting.name} setting={setting} />
        ))}
      </SpaceBetween>
    </Screen>
  );
}

function Setting({ setting }: { setting: (typeof SETTINGS)[number] }) {
  const saved = useLoad(`setting ${setting.name}`, async (signal) => {
    return (await ecr('GetAccountSetting', { name: setting.name }, signal)).value ?? '';
  });
  return (
    <Container header={<Header variant="h2">{t(setting.titleKey)}</Header>}>
      <Part of={saved} lines={3}>
        {(value) => <Choice setting={setting} saved={value} onSaved={saved.set} />}
      </Part>
    </Container>
  );
}

interface ChoiceProps {
  setting: (typeof SETTINGS)[number];
  saved: string;
  onSaved: (value: string) => void;
}

function Choice({ setting, saved, onSaved }: ChoiceProps) {
  const [chosen, setChosen] = useState(saved);
  const action = useAction();
  const save = async () => {
    const done = await action.run(async () => {
      await ecr('PutAccountSetting', { name: setting.name, value: chosen });
    });
    if (!done) return;
    onSaved(chosen);
    notify('success', t('document.saved', { name: t(setting.titleKey) }));
  };
  return (
    <SettingsForm action={action} submitText={t('action.save')} disabled={chosen === saved} onSubmit={() => void save()}>
      <FormField label={t(setting.titleKey)} description={t(setting.why)}>
        <RadioGroup
          value={chosen}
          onChange={(event) => setChosen(event.detail.value)}
          items={setting.values.map((value) => ({ value, label: nameOf('setting', value) }))}
        />
      </FormField>
    </SettingsForm>
  );
}
