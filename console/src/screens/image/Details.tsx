import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import type { ImageDetail } from '../../api/ecr';
import type { StoredManifest } from '../../api/manifest';
import { navigate, repositoryPath } from '../../app/router';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { CopyText } from '../../components/CopyText';
import { Digest, Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { Part } from '../../components/Part';
import { TagList } from '../../components/TagList';
import { type Loaded, useLoad } from '../../components/useLoad';
import { formatSize, formatTime, t } from '../../messages';
import { deleteImages } from '../repository/deleteImages';
import { readRepository } from '../repository/readRepository';
import { artifactType } from '../repository/Images';
import { Annotations } from './Annotations';
import { ReplicationStatuses, SigningStatuses } from './Elsewhere';
import { Retention } from './Retention';
import { ScanStatus, Status } from './statuses';

interface DetailsProps {
  name: string;
  digest: string;
  image: Loaded<ImageDetail>;
  manifest: Loaded<StoredManifest>;
}

/** What the registry knows of an image, and what others did with it. */
export function Details({ name, digest, image, manifest }: DetailsProps) {
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">{t('image.tab.details')}</Header>}>
        <Part of={image} lines={8}>
          {(detail) => <Facts name={name} digest={digest} image={detail} onChanged={image.reload} />}
        </Part>
      </Container>
      <Container header={<Header variant="h2">{t('image.annotations')}</Header>}>
        <Part of={manifest} lines={2}>
          {(stored) => <Annotations of={stored.manifest.annotations ?? {}} />}
        </Part>
      </Container>
      <Retention name={name} digest={digest} />
      <SigningStatuses name={name} digest={digest} />
      <ReplicationStatuses name={name} digest={digest} />
    </SpaceBetween>
  );
}

interface FactsProps {
  name: string;
  digest: string;
  image: ImageDetail;
  onChanged: () => void;
}

function Facts({ name, digest, image, onChanged }: FactsProps) {
  const [removing, setRemoving] = useState<string>();
  const tags = <TagList tags={image.imageTags ?? []} first={50} onRemove={setRemoving} />;
  const repository = useLoad(`repository ${name}`, (signal) => readRepository(name, signal));
  const uri = repository.data?.repositoryUri;
  const subject = image.subjectManifestDigest;
  const items = [
    { label: t('image.digest'), value: <CopyText text={digest} what={t('image.digest')} shorten /> },
    {
      label: t('repository.uri'),
      value: <CopyText text={uri === undefined ? undefined : `${uri}@${digest}`} what={t('repository.uri')} />,
    },
    { label: t('image.type'), value: <Name>{artifactType(image)}</Name> },
    { label: t('image.mediaType'), value: <Name>{image.imageManifestMediaType}</Name> },
    { label: t('image.size'), value: formatSize(image.imageSizeInBytes) },
    { label: t('image.pushed'), value: formatTime(image.imagePushedAt) },
    { label: t('image.pulled'), value: formatTime(image.lastRecordedPullTime) },
    { label: t('image.status'), value: <Status of={image.imageStatus} /> },
    { label: t('image.scan'), value: <ScanStatus image={image} /> },
    { label: t('image.archived'), value: formatTime(image.lastArchivedAt) },
    { label: t('image.restored'), value: formatTime(image.lastActivatedAt) },
  ];
  if (subject !== undefined) {
    items.push({
      label: t('image.subject'),
      value: (
        <NavLink to={repositoryPath(name, 'images', subject)}>
          <Digest>{subject}</Digest>
        </NavLink>
      ),
    });
  }
  return (
    <SpaceBetween size="l">
      <KeyValuePairs columns={3} items={items} />
      <KeyValuePairs items={[{ label: t('image.tags'), value: tags }]} />
      {removing !== undefined && (
        <ConfirmDialog
          title={t('image.removeTag', { tag: removing })}
          warning={image.imageTags?.length === 1 ? t('image.removeLastTag') : t('image.removeTagWhy')}
          button={t('action.remove')}
          onClose={() => setRemoving(undefined)}
          onConfirm={async () => {
            await deleteImages(name, [{ imageTag: removing }]);
            if (image.imageTags?.length === 1) navigate(repositoryPath(name));
            else onChanged();
          }}
        />
      )}
    </SpaceBetween>
  );
}
