import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { moorage } from '../../api/moorage';
import type { DeletedImage } from '../../api/operating';
import { notify } from '../../app/notifications';
import type { ScreenParams } from '../../app/routes';
import { ErrorNote } from '../../components/ErrorNote';
import { Digest, Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { TagList } from '../../components/TagList';
import { useAction } from '../../components/useAction';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { RepositoryScreen } from './RepositoryScreen';

const PAGE = 25;

/** The images that were deleted and can come back, until their grace period ends. */
export function DeletedImages({ params: { name = '' } }: ScreenParams) {
  return (
    <RepositoryScreen name={name} tab="deleted">
      {() => <DeletedTable name={name} />}
    </RepositoryScreen>
  );
}

function DeletedTable({ name }: { name: string }) {
  const [selected, setSelected] = useState<DeletedImage[]>([]);
  const action = useAction();
  const pages = usePages<DeletedImage>(`deleted ${name}`, async (token, signal) => {
    const input = { repositoryName: name, maxResults: PAGE, ...(token === undefined ? {} : { nextToken: token }) };
    const answer = await moorage('ListDeletedImages', input, signal);
    return { items: answer.images, nextToken: answer.nextToken };
  });
  const [image] = selected;

  async function undelete(chosen: DeletedImage) {
    const input = { repositoryName: name, imageReference: chosen.imageDigest };
    const { images } = await moorage('UndeleteImage', input);
    const taken = images.flatMap(({ takenTags }) => takenTags);
    notify(taken.length === 0 ? 'success' : 'info', undeleted(images.length, taken));
    setSelected([]);
    pages.reload();
  }

  return (
    <SpaceBetween size="s">
      {action.error !== undefined && <ErrorNote error={action.error} />}
      <PagedTable<DeletedImage>
        pages={pages}
        label={t('repository.tab.deleted')}
        empty={t('deleted.none')}
        trackBy={({ imageDigest }) => imageDigest}
        labelOf={({ imageDigest }) => imageDigest}
        selectionType="single"
        selected={selected}
        onSelect={setSelected}
        columns={[
          { id: 'tags', header: t('image.tags'), cell: ({ imageTags }) => <TagList tags={imageTags} /> },
          { id: 'digest', header: t('image.digest'), isRowHeader: true, cell: ({ imageDigest }) => <Digest>{imageDigest}</Digest> },
          { id: 'type', header: t('image.mediaType'), cell: ({ imageManifestMediaType }) => <Name>{imageManifestMediaType}</Name> },
          { id: 'deleted', header: t('deleted.at'), cell: ({ deletedAt }) => formatTime(deletedAt) },
          { id: 'until', header: t('deleted.until'), cell: ({ removedAfter }) => formatTime(removedAfter) },
        ]}
        header={
          <Header
            variant="h2"
            description={t('deleted.why')}
            actions={
              !pages.refused && (
                <Button
                  disabled={image === undefined}
                  loading={action.busy}
                  onClick={() => void (image !== undefined && action.run(() => undelete(image)))}
                >
                  {t('deleted.undelete')}
                </Button>
              )
            }
          >
            {t('repository.tab.deleted')}
          </Header>
        }
      />
    </SpaceBetween>
  );
}

function undeleted(count: number, taken: string[]): string {
  if (taken.length === 0) return t('deleted.done', { count });
  return t('deleted.doneWithout', { count, tags: taken.join(', ') });
}
