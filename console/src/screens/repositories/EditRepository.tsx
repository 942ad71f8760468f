import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Toggle from '@cloudscape-design/components/toggle';

import { ecr } from '../../api/client';
import type { Repository } from '../../api/ecr';
import { notify } from '../../app/notifications';
import { navigate, repositoryPath } from '../../app/router';
import type { ScreenParams } from '../../app/routes';
import { type Mutability, MutabilityFields, mutabilityOf, mutabilitySettings } from '../../components/MutabilityFields';
import { Part } from '../../components/Part';
import { Screen } from '../../components/Screen';
import { SettingsForm } from '../../components/SettingsForm';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { useLoad } from '../../components/useLoad';
import { t } from '../../messages';
import { readRepository } from '../repository/readRepository';

/** Change the settings of a repository that can be changed. */
export function EditRepository({ params }: ScreenParams) {
  const name = params.name ?? '';
  const repository = useLoad(`repository ${name}`, (signal) => readRepository(name, signal));
  return (
    <Screen title={t('repository.editTitle', { name })}>
      <Part of={repository} lines={10}>
        {(loaded) => <Fields repository={loaded} />}
      </Part>
    </Screen>
  );
}

function Fields({ repository }: { repository: Repository }) {
  const name = repository.repositoryName ?? '';
  const wasScanned = repository.imageScanningConfiguration?.scanOnPush ?? false;
  const [mutability, setMutability, forgetMutability] = useDraft<Mutability>('mutability', mutabilityOf(repository));
  const [scanOnPush, setScanOnPush, forgetScan] = useDraft('scan', wasScanned);
  const action = useAction();
  const save = async () => {
    const saved = await action.run(async () => {
      if (JSON.stringify(mutability) !== JSON.stringify(mutabilityOf(repository))) {
        await ecr('PutImageTagMutability', { repositoryName: name, ...mutabilitySettings(mutability) });
      }
      if (scanOnPush !== wasScanned) {
        await ecr('PutImageScanningConfiguration', {
          repositoryName: name,
          imageScanningConfiguration: { scanOnPush },
        });
      }
    });
    if (!saved) return;
    forgetMutability();
    forgetScan();
    notify('success', t('document.saved', { name }));
    navigate(repositoryPath(name));
  };
  return (
    <SettingsForm
      action={action}
      submitText={t('action.save')}
      onSubmit={() => void save()}
      onCancel={() => navigate(repositoryPath(name))}
    >
      <Container header={<Header variant="h2">{t('repository.general')}</Header>}>
        <SpaceBetween size="l">
          <MutabilityFields value={mutability} onChange={setMutability} />
          <Toggle
            checked={scanOnPush}
            description={t('repository.scanWhy')}
            onChange={(event) => setScanOnPush(event.detail.checked)}
          >
            {t('repository.scanOnPush')}
          </Toggle>
        </SpaceBetween>
      </Container>
    </SettingsForm>
  );
}
