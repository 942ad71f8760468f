import { afterEach, describe, expect, test, vi } from 'vitest';

import { repositoryPage } from '../src/screens/repositories/repositoryPages';

afterEach(() => vi.unstubAllGlobals());

const BY_NAME = { prefix: '', sortBy: 'NAME', descending: false } as const;

/** A server that refuses some operations; returns the operations that were called, with their inputs. */
function serve(refused: string[] = []): [string, unknown][] {
  const calls: [string, unknown][] = [];
  vi.stubGlobal('fetch', (_: string, { headers, body }: { headers: Headers; body: string }) => {
    const operation = headers.get('X-Amz-Target')?.split('.')[1] ?? '';
    calls.push([operation, JSON.parse(body)]);
    const denied = { __type: 'AccessDeniedException', message: 'no' };
    const answer = { repositories: [{ repositoryName: operation }], nextToken: 'next' };
    return Promise.resolve(
      refused.includes(operation)
        ? new Response(JSON.stringify(denied), { status: 400 })
        : new Response(JSON.stringify(answer)),
    );
  });
  return calls;
}

const signal = new AbortController().signal;

describe('a page of repositories', () => {
  test('by name is the list of ECR', async () => {
    const calls = serve();
    const page = await repositoryPage(BY_NAME, 'token', signal);
    expect(page).toEqual({ items: [{ repositoryName: 'DescribeRepositories' }], nextToken: 'next' });
    expect(calls).toEqual([['DescribeRepositories', { maxResults: 25, nextToken: 'token' }]]);
  });

  test('of a search or in another order comes from the search', async () => {
    const calls = serve();
    await repositoryPage({ prefix: 'team/', sortBy: 'CREATED', descending: true }, undefined, signal);
    expect(calls).toEqual([
      ['SearchRepositories', { maxResults: 25, prefix: 'team/', sortBy: 'CREATED', sortOrder: 'DESCENDING' }],
    ]);
  });

  test('has what a caller may see who may not list all repositories', async () => {
    const calls = serve(['DescribeRepositories']);
    const page = await repositoryPage(BY_NAME, undefined, signal);
    expect(page.items).toEqual([{ repositoryName: 'SearchRepositories' }]);
    expect(calls.map(([operation]) => operation)).toEqual(['DescribeRepositories', 'SearchRepositories']);
  });

  test('is refused if the search is refused, too', async () => {
    serve(['DescribeRepositories', 'SearchRepositories']);
    await expect(repositoryPage(BY_NAME, undefined, signal)).rejects.toMatchObject({ code: 'AccessDeniedException' });
  });
});
