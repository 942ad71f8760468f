import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { ecr, type Surroundings, surround } from '../src/api/client';
import { ApiError, missingAction, NewerBuild, Unavailable } from '../src/api/errors';

const answers: Response[] = [];
const requests: { path: string; init: RequestInit }[] = [];
let surroundings: Surroundings;

function answer(status: number, body: unknown, headers: Record<string, string> = {}): void {
  answers.push(new Response(JSON.stringify(body), { status, headers }));
}

beforeEach(() => {
  answers.length = 0;
  requests.length = 0;
  surroundings = {
    region: () => 'eu-central-1',
    build: () => 'b1',
    signedInAgain: vi.fn(() => Promise.resolve()),
    newerBuild: vi.fn(),
    unavailable: vi.fn(),
    available: vi.fn(),
  };
  surround(surroundings);
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    requests.push({ path, init });
    const next = answers.shift();
    return next === undefined ? Promise.reject(new TypeError('Failed to fetch')) : Promise.resolve(next);
  });
});
afterEach(() => vi.unstubAllGlobals());

describe('a call', () => {
  test('names its operation, its Region and its build', async () => {
    answer(200, { repositories: [] });
    await expect(ecr('DescribeRepositories', { maxResults: 5 })).resolves.toEqual({ repositories: [] });

    const headers = new Headers(requests[0]?.init.headers);
    expect(requests[0]?.path).toBe('/console/api/');
    expect(headers.get('X-Amz-Target')).toBe('AmazonEC2ContainerRegistry_V20150921.DescribeRepositories');
    expect(headers.get('X-Moorage-Region')).toBe('eu-central-1');
    expect(headers.get('X-Moorage-Build')).toBe('b1');
    expect(requests[0]?.init.body).toBe('{"maxResults":5}');
  });

  test('fails with the error that the operation returned', async () => {
    answer(400, { __type: 'com.amazonaws#RepositoryNotFoundException', message: 'No such repository' });
    const error: unknown = await ecr('DescribeRepositories', {}).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 'RepositoryNotFoundException', message: 'No such repository', status: 400 });
  });

  test('waits for a new sign-in when the session has ended, and is repeated', async () => {
    answer(401, {});
    answer(200, { repositories: [{ repositoryName: 'a' }] });
    const result = await ecr('DescribeRepositories', { nextToken: 'x' });
    expect(result.repositories).toHaveLength(1);
    expect(surroundings.signedInAgain).toHaveBeenCalledTimes(1);
    expect(requests.map(({ init }) => init.body)).toEqual(['{"nextToken":"x"}', '{"nextToken":"x"}']);
  });

  test('reports that the server has a newer build', async () => {
    answer(409, { __type: 'NewerBuild', message: '' });
    await expect(ecr('DescribeRepositories', {})).rejects.toBeInstanceOf(NewerBuild);
    expect(surroundings.newerBuild).toHaveBeenCalled();
  });

  test('reports that the server drains, and when to try again', async () => {
    answer(503, {}, { 'Retry-After': '7' });
    const error: unknown = await ecr('DescribeRepositories', {}).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(Unavailable);
    expect(error).toMatchObject({ retryAfter: 7 });
    expect(surroundings.unavailable).toHaveBeenCalled();
  });

  test('reports that the server does not answer', async () => {
    await expect(ecr('DescribeRepositories', {})).rejects.toBeInstanceOf(Unavailable);
  });
});

test('a refusal names the action that is missing', () => {
  const message = 'User: arn:aws:iam::1:user/u is not authorized to perform: ecr:DescribeImages on resource: x';
  expect(missingAction(new ApiError('AccessDeniedException', message, 400))).toBe('ecr:DescribeImages');
  expect(missingAction(new ApiError('AccessDeniedException', 'No', 400))).toBeUndefined();
});
