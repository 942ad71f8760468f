import { ecr } from '../../api/client';
import type { Repository } from '../../api/ecr';
import { isDenied } from '../../api/errors';
import { moorage } from '../../api/moorage';
import type { PageOf } from '../../components/usePages';

const PAGE = 25;

export interface RepositoryOrder {
  prefix: string;
  sortBy: 'NAME' | 'CREATED';
  descending: boolean;
}

/**
 * A page of repositories. Without a search and by name it is the list of ECR. The search of Moorage has the other
 * orders, and finds what somebody may see who may not list everything.
 */
export async function repositoryPage(
  order: RepositoryOrder,
  nextToken: string | undefined,
  signal: AbortSignal,
): Promise<PageOf<Repository>> {
  const { prefix, sortBy, descending } = order;
  const input = { maxResults: PAGE, ...(nextToken === undefined ? {} : { nextToken }) };
  if (prefix === '' && sortBy === 'NAME' && !descending) {
    try {
      const answer = await ecr('DescribeRepositories', input, signal);
      return { items: answer.repositories ?? [], nextToken: answer.nextToken };
    } catch (error) {
      if (!isDenied(error)) throw error;
    }
  }
  const sortOrder = descending ? 'DESCENDING' : 'ASCENDING';
  const answer = await moorage('SearchRepositories', { ...input, ...(prefix === '' ? {} : { prefix }), sortBy, sortOrder }, signal);
  // They are written as DescribeRepositories writes them; only the model does not name all values.
  return { items: answer.repositories as Repository[], nextToken: answer.nextToken };
}
