import Container from '@cloudscape-design/components/container';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';

import type { Repository } from '../../api/ecr';
import type { ScreenParams } from '../../app/routes';
import { CopyText } from '../../components/CopyText';
import { Name } from '../../components/Name';
import { Lines } from '../../components/Part';
import { formatTime, nameOf, t } from '../../messages';
import { RepositoryScreen } from './RepositoryScreen';

/** The settings of a repository. */
export function Summary({ params }: ScreenParams) {
  return (
    <RepositoryScreen name={params.name ?? ''} tab="summary">
      {(repository) => (
        <Container>{repository === undefined ? <Lines count={6} /> : <Settings repository={repository} />}</Container>
      )}
    </RepositoryScreen>
  );
}

function Settings({ repository }: { repository: Repository }) {
  const filters = repository.imageTagMutabilityExclusionFilters ?? [];
  return (
    <KeyValuePairs
      columns={3}
      items={[
        { label: t('repository.uri'), value: <CopyText text={repository.repositoryUri} what={t('repository.uri')} /> },
        { label: t('repository.arn'), value: <CopyText text={repository.repositoryArn} what={t('repository.arn')} /> },
        { label: t('repository.created'), value: formatTime(repository.createdAt) },
        { label: t('repository.mutability'), value: nameOf('mutability', repository.imageTagMutability) },
        { label: t('repository.exceptions'), value: <Name>{filters.map(({ filter }) => filter).join(', ') || '–'}</Name> },
        { label: t('repository.encryption'), value: nameOf('encryption', repository.encryptionConfiguration?.encryptionType) },
        { label: t('encryption.key'), value: <Name>{repository.encryptionConfiguration?.kmsKey}</Name> },
        {
          label: t('repository.scanOnPush'),
          value: repository.imageScanningConfiguration?.scanOnPush === true ? t('state.on') : t('state.off'),
        },
      ]}
    />
  );
}
