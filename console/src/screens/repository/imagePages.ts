import { ecr } from '../../api/client';
import type { DescribeImagesRequest, ImageDetail } from '../../api/ecr';
import type { PageOf } from '../../components/usePages';

export type Shown = 'all' | 'tagged' | 'untagged' | 'archived';

export const SHOWN: Shown[] = ['all', 'tagged', 'untagged', 'archived'];

const FILTERS: Record<Shown, DescribeImagesRequest['filter']> = {
  all: { tagStatus: 'ANY', imageStatus: 'ACTIVE' },
  tagged: { tagStatus: 'TAGGED', imageStatus: 'ACTIVE' },
  untagged: { tagStatus: 'UNTAGGED', imageStatus: 'ACTIVE' },
  archived: { tagStatus: 'ANY', imageStatus: 'ARCHIVED' },
};

const PAGE = 25;

export async function imagePage(
  repositoryName: string,
  shown: Shown,
  nextToken: string | undefined,
  signal: AbortSignal,
): Promise<PageOf<ImageDetail>> {
  const answer = await ecr(
    'DescribeImages',
    { repositoryName, maxResults: PAGE, filter: FILTERS[shown] ?? {}, ...(nextToken === undefined ? {} : { nextToken }) },
    signal,
  );
  return { items: answer.imageDetails ?? [], nextToken: answer.nextToken };
}

/** The image with exactly this tag or digest; an empty page if there is none. */
export async function imagesNamed(repositoryName: string, name: string, signal: AbortSignal): Promise<PageOf<ImageDetail>> {
  const imageIds = [/^\w+:[\da-f]+$/.test(name) ? { imageDigest: name } : { imageTag: name }];
  const found = await ecr('BatchGetImage', { repositoryName, imageIds }, signal);
  const imageDigest = found.images?.[0]?.imageId?.imageDigest;
  if (imageDigest === undefined) return { items: [] };
  const answer = await ecr('DescribeImages', { repositoryName, imageIds: [{ imageDigest }] }, signal);
  return { items: answer.imageDetails ?? [] };
}
