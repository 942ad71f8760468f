import Header from '@cloudscape-design/components/header';
import SegmentedControl from '@cloudscape-design/components/segmented-control';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { TableProps } from '@cloudscape-design/components/table';
import TextFilter from '@cloudscape-design/components/text-filter';
import { useState } from 'react';

import { ecr } from '../../api/client';
import type { ImageDetail, ImageSigningStatus, Repository } from '../../api/ecr';
import { repositoryPath, setQuery, usePlace } from '../../app/router';
import type { ScreenParams } from '../../app/routes';
import { CopyText } from '../../components/CopyText';
import { Digest, Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { PagedTable } from '../../components/PagedTable';
import { TagList } from '../../components/TagList';
import { useEach } from '../../components/useEach';
import { useLoad } from '../../components/useLoad';
import { usePages } from '../../components/usePages';
import { formatSize, formatTime, t } from '../../messages';
import { ScanStatus, SigningStatus } from '../image/statuses';
import { ImageActions } from './ImageActions';
import { imagePage, imagesNamed, SHOWN } from './imagePages';
import { RepositoryScreen } from './RepositoryScreen';

/** The images of a repository. */
export function Images({ params }: ScreenParams) {
  const name = params.name ?? '';
  return (
    <RepositoryScreen name={name} tab="images">
      {(repository) => <ImageTable name={name} repository={repository} />}
    </RepositoryScreen>
  );
}

function ImageTable({ name, repository }: { name: string; repository: Repository | undefined }) {
  const { query } = usePlace();
  const shown = SHOWN.find((one) => one === query.get('show')) ?? 'all';
  const wanted = query.get('image') ?? '';
  const [typed, setTyped] = useState(wanted);
  const [selected, setSelected] = useState<ImageDetail[]>([]);
  const pages = usePages(`images ${name} ${shown} ${wanted}`, (token, signal) =>
    wanted === '' ? imagePage(name, shown, token, signal) : imagesNamed(name, wanted, signal),
  );
  const signatures = useSignatures(name, pages.data?.items ?? []);
  return (
    <PagedTable
      pages={pages}
      columns={columns(name, repository, signatures)}
      label={t('repository.tab.images')}
      rows={8}
      trackBy={(image) => image.imageDigest ?? ''}
      labelOf={(image) => image.imageTags?.[0] ?? image.imageDigest ?? ''}
      selectionType="multi"
      selected={selected}
      onSelect={setSelected}
      empty={wanted === '' ? t('image.none') : t('image.noneFound')}
      filter={
        <SpaceBetween direction="horizontal" size="m">
          <div className="filter">
            <TextFilter
              filteringText={typed}
              filteringPlaceholder={t('image.search')}
              filteringAriaLabel={t('image.search')}
              onChange={(event) => setTyped(event.detail.filteringText)}
              onDelayedChange={(event) => setQuery({ image: event.detail.filteringText.trim() })}
            />
          </div>
          <SegmentedControl
            label={t('image.show')}
            selectedId={shown}
            options={SHOWN.map((id) => ({ id, text: t(`image.show.${id}`) }))}
            onChange={(event) => {
              setSelected([]);
              setQuery({ show: event.detail.selectedId === 'all' ? undefined : (event.detail.selectedId) });
            }}
          />
        </SpaceBetween>
      }
      header={
        <Header
          variant="h2"
          actions={
            !pages.refused && <ImageActions
              repositoryName={name}
              images={selected}
              onRefresh={pages.reload}
              onChanged={() => {
                setSelected([]);
                pages.reload();
              }}
            />
          }
        >
          {t('repository.tab.images')}
        </Header>
      }
    />
  );
}

/** The signatures of the images that are shown, if the registry signs images at all. */
function useSignatures(repositoryName: string, images: ImageDetail[]): Map<string, ImageSigningStatus[] | null> | undefined {
  const signs = useLoad('signing configuration', async (signal) => {
    const answer = await ecr('GetSigningConfiguration', {}, signal).catch(() => undefined);
    return (answer?.signingConfiguration?.rules ?? []).length > 0;
  });
  const digests = signs.data === true ? images.flatMap(({ imageDigest }) => imageDigest ?? []) : [];
  const found = useEach(digests, async (imageDigest, signal) => {
    const answer = await ecr('DescribeImageSigningStatus', { repositoryName, imageId: { imageDigest } }, signal);
    return answer.signingStatuses ?? [];
  });
  return signs.data === true ? found : undefined;
}

function columns(
  name: string,
  repository: Repository | undefined,
  signatures: Map<string, ImageSigningStatus[] | null> | undefined,
): TableProps.ColumnDefinition<ImageDetail>[] {
  const uri = repository?.repositoryUri;
  const list: TableProps.ColumnDefinition<ImageDetail>[] = [
    { id: 'tags', header: t('image.tags'), cell: ({ imageTags = [] }) => <TagList tags={imageTags} /> },
    {
      id: 'digest',
      header: t('image.digest'),
      isRowHeader: true,
      cell: ({ imageDigest = '' }) => (
        <NavLink to={repositoryPath(name, 'images', imageDigest)}>
          <Digest>{imageDigest}</Digest>
        </NavLink>
      ),
    },
    { id: 'type', header: t('image.type'), cell: (image) => <Name>{artifactType(image)}</Name> },
    { id: 'pushed', header: t('image.pushed'), cell: ({ imagePushedAt }) => formatTime(imagePushedAt) },
    { id: 'pulled', header: t('image.pulled'), cell: ({ lastRecordedPullTime }) => formatTime(lastRecordedPullTime) },
    { id: 'size', header: t('image.size'), cell: ({ imageSizeInBytes }) => formatSize(imageSizeInBytes) },
    { id: 'scan', header: t('image.scan'), cell: (image) => <ScanStatus image={image} /> },
  ];
  if (signatures !== undefined) {
    list.push({
      id: 'signature',
      header: t('image.signature'),
      cell: ({ imageDigest = '' }) => <SigningStatus of={signatures.get(imageDigest)} />,
    });
  }
  list.push({
    id: 'uri',
    header: t('repository.uri'),
    cell: ({ imageDigest = '', imageTags }) => {
      const [tag] = imageTags ?? [];
      const text = uri === undefined ? undefined : tag === undefined ? `${uri}@${imageDigest}` : `${uri}:${tag}`;
      return <CopyText text={text} what={t('repository.uri')} iconOnly />;
    },
  });
  return list;
}

/** What kind of thing it is, in a word where there is one. */
export function artifactType(image: ImageDetail): string {
  const { artifactMediaType = '', imageManifestMediaType = '' } = image;
  if (/index|manifest\.list/.test(imageManifestMediaType)) return t('image.type.index');
  if (artifactMediaType === '' || /image\.config|container\.image\.v1/.test(artifactMediaType)) return t('image.type.image');
  if (artifactMediaType.includes('helm.config')) return t('image.type.chart');
  return artifactMediaType;
}
