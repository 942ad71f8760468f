import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Toggle from '@cloudscape-design/components/toggle';

import { ecr } from '../../api/client';
import type { EncryptionConfiguration, Tag } from '../../api/ecr';
import { notify } from '../../app/notifications';
import { navigate, repositoryPath } from '../../app/router';
import { useSession } from '../../app/session';
import { EncryptionFields } from '../../components/EncryptionFields';
import { type Mutability, MutabilityFields, mutabilitySettings } from '../../components/MutabilityFields';
import { Screen } from '../../components/Screen';
import { SettingsForm } from '../../components/SettingsForm';
import { areValidTags, TagsEditor } from '../../components/TagsEditor';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { t } from '../../messages';

interface Draft {
  name: string;
  mutability: Mutability;
  encryption: EncryptionConfiguration;
  scanOnPush: boolean;
  tags: Tag[];
}

const EMPTY: Draft = {
  name: '',
  mutability: { immutable: false, exclusions: [] },
  encryption: { encryptionType: 'AES256' },
  scanOnPush: false,
  tags: [],
};

const NAME = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;

/** Create a repository with all its settings. */
export function CreateRepository() {
  const [draft, setDraft, forget] = useDraft('create', EMPTY);
  const action = useAction();
  const { registryHost } = useSession();
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const wrong = draft.name !== '' && (!NAME.test(draft.name) || draft.name.length < 2 || draft.name.length > 256);
  const create = async () => {
    const created = await action.run(async () => {
      await ecr('CreateRepository', {
        repositoryName: draft.name,
        ...mutabilitySettings(draft.mutability),
        encryptionConfiguration: draft.encryption,
        imageScanningConfiguration: { scanOnPush: draft.scanOnPush },
        ...(draft.tags.length === 0 ? {} : { tags: draft.tags }),
      });
    });
    if (!created) return;
    forget();
    notify('success', t('repository.wasCreated', { name: draft.name }));
    navigate(repositoryPath(draft.name));
  };
  return (
    <Screen title={t('repository.create')}>
      <SettingsForm
        action={action}
        submitText={t('repository.create')}
        disabled={draft.name === '' || wrong || !areValidTags(draft.tags)}
        onSubmit={() => void create()}
        onCancel={() => navigate('/repositories')}
      >
        <Container header={<Header variant="h2">{t('repository.general')}</Header>}>
          <SpaceBetween size="l">
            <FormField
              label={t('repository.name')}
              description={t('repository.nameWhy', { host: registryHost })}
              constraintText={t('repository.nameRule')}
              errorText={wrong ? t('repository.nameWrong') : undefined}
            >
              <Input value={draft.name} onChange={(event) => change({ name: event.detail.value })} autoFocus spellcheck={false} />
            </FormField>
            <MutabilityFields value={draft.mutability} onChange={(mutability) => change({ mutability })} />
          </SpaceBetween>
        </Container>
        <Container header={<Header variant="h2">{t('encryption.label')}</Header>}>
          <EncryptionFields value={draft.encryption} onChange={(encryption) => change({ encryption })} />
        </Container>
        <Container header={<Header variant="h2">{t('nav.scanning')}</Header>}>
          <Toggle
            checked={draft.scanOnPush}
            description={t('repository.scanWhy')}
            onChange={(event) => change({ scanOnPush: event.detail.checked })}
          >
            {t('repository.scanOnPush')}
          </Toggle>
        </Container>
        <Container header={<Header variant="h2">{t('repository.tags')}</Header>}>
          <TagsEditor tags={draft.tags} onChange={(tags) => change({ tags })} />
        </Container>
      </SettingsForm>
    </Screen>
  );
}
