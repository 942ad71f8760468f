import { ecr } from '../../api/client';
import type { Repository } from '../../api/ecr';

/** One repository. Raises the error of ECR if it does not exist. */
export async function readRepository(name: string, signal?: AbortSignal): Promise<Repository> {
  const answer = await ecr('DescribeRepositories', { repositoryNames: [name] }, signal);
  return answer.repositories?.[0] ?? { repositoryName: name };
}
