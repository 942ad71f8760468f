import Button from '@cloudscape-design/components/button';
import ButtonDropdown from '@cloudscape-design/components/button-dropdown';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { ecr } from '../../api/client';
import type { ImageDetail } from '../../api/ecr';
import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { errorText } from '../../components/ErrorNote';
import { Digest, Name } from '../../components/Name';
import { t } from '../../messages';
import { deleteImages } from './deleteImages';

interface ImageActionsProps {
  repositoryName: string;
  images: ImageDetail[];
  onRefresh: () => void;
  onChanged: () => void;
  /** After a deletion, instead of `onChanged`. */
  onDeleted?: () => void;
}

/** What can be done with selected images. */
export function ImageActions({ repositoryName, images, onRefresh, onChanged, onDeleted }: ImageActionsProps) {
  const [asking, setAsking] = useState(false);
  const isArchived = (image: ImageDetail) => image.imageStatus === 'ARCHIVED';
  const forEach = async (act: (imageDigest: string) => Promise<unknown>) => {
    try {
      for (const { imageDigest = '' } of images) await act(imageDigest);
      notify('success', t('image.done', { count: images.length }));
    } catch (error) {
      notify('error', errorText(error));
    }
    onChanged();
  };
  const move = (targetStorageClass: 'STANDARD' | 'ARCHIVE') =>
    forEach((imageDigest) => ecr('UpdateImageStorageClass', { repositoryName, imageId: { imageDigest }, targetStorageClass }));
  const scan = () => forEach((imageDigest) => ecr('StartImageScan', { repositoryName, imageId: { imageDigest } }));
  const acts: Record<string, () => void> = {
    scan: () => void scan(),
    archive: () => void move('ARCHIVE'),
    restore: () => void move('STANDARD'),
    delete: () => setAsking(true),
  };
  return (
    <SpaceBetween direction="horizontal" size="xs">
      <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={onRefresh} />
      <ButtonDropdown
        disabled={images.length === 0}
        items={[
          { id: 'scan', text: t('image.startScan'), disabled: images.some(isArchived) },
          { id: 'archive', text: t('image.archive'), disabled: images.some(isArchived) },
          { id: 'restore', text: t('image.restore'), disabled: !images.every(isArchived) },
          { id: 'delete', text: t('action.delete') },
        ]}
        onItemClick={(event) => acts[event.detail.id]?.()}
      >
        {t('action.actions')}
      </ButtonDropdown>
      {asking && (
        <ConfirmDialog
          title={t('image.delete')}
          warning={t('image.deleteWarning')}
          typed={t('confirm.word')}
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            await deleteImages(repositoryName, images.flatMap(({ imageDigest }) => (imageDigest === undefined ? [] : [{ imageDigest }])));
            (onDeleted ?? onChanged)();
          }}
        >
          <ul className="scrolled">
            {images.map(({ imageDigest, imageTags = [] }) => (
              <li key={imageDigest}>
                <Digest>{imageDigest}</Digest> <Name>{imageTags.slice(0, 3).join(', ')}</Name>
              </li>
            ))}
          </ul>
        </ConfirmDialog>
      )}
    </SpaceBetween>
  );
}
