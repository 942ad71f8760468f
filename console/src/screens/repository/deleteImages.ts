import { ecr } from '../../api/client';
import type { ImageIdentifier } from '../../api/ecr';
import { ApiError } from '../../api/errors';
import { notify } from '../../app/notifications';
import { nameOf, t } from '../../messages';

/** Delete images or tags, at most 100. Those that were not deleted are an error, which names the first of them. */
export async function deleteImages(repositoryName: string, imageIds: ImageIdentifier[]): Promise<void> {
  const { failures = [] } = await ecr('BatchDeleteImage', { repositoryName, imageIds });
  const failed = new Set(failures.map(({ imageId }) => imageId?.imageDigest ?? imageId?.imageTag));
  const deleted = imageIds.length - failed.size;
  if (deleted > 0) notify('success', t('image.deleted', { count: deleted }));
  const [first] = failures;
  if (first !== undefined) {
    const reason = nameOf('failure', first.failureCode);
    throw new ApiError(first.failureCode ?? '', `${reason} ${first.failureReason ?? ''}`, 200);
  }
}
