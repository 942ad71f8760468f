import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { surround } from '../src/api/client';
import { ApiError, isDenied, missingAction } from '../src/api/errors';
import { decoded, iam } from '../src/api/iam';
import { deleteEntity } from '../src/screens/identity/entity';
import { explain } from '../src/screens/identity/explain';
import { statementAt } from '../src/screens/identity/statementAt';

type Result = [status: number, body: unknown];

/** The requests: the headers, and the operation with its parameters. */
let requests: { headers: Headers; form: URLSearchParams }[];

/** A server that answers by operation. */
function serve(answers: Record<string, unknown>): void {
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    const form = new URLSearchParams(init.body as string);
    requests.push({ headers: new Headers(init.headers), form });
    const operation = form.get('Action') ?? '';
    const answer = answers[operation];
    const [status, body] = (typeof answer === 'function' ? (answer as (form: URLSearchParams) => Result)(form) : [200, answer]);
    const whole = status === 200 ? { [`${operation}Response`]: { [`${operation}Result`]: body } } : body;
    return Promise.resolve(new Response(JSON.stringify(whole), { status }));
  });
}

const operations = () => requests.map(({ form }) => form.get('Action'));

beforeEach(() => {
  requests = [];
  surround({
    region: () => 'eu-central-1',
    build: () => 'b1',
    signedInAgain: () => Promise.resolve(),
    newerBuild: () => undefined,
    unavailable: () => undefined,
    available: () => undefined,
  });
});
afterEach(() => vi.unstubAllGlobals());

describe('a call of IAM', () => {
  test('is a form, and its answer JSON', async () => {
    serve({ ListUsers: { Users: [{ UserName: 'ci' }], Marker: 'next' } });
    await expect(iam('ListUsers', { MaxItems: 25, Marker: undefined })).resolves.toEqual({
      Users: [{ UserName: 'ci' }],
      Marker: 'next',
    });
    expect(Object.fromEntries(requests[0]?.form ?? [])).toEqual({ Action: 'ListUsers', Version: '2010-05-08', MaxItems: '25' });
    const headers = requests[0]?.headers;
    expect(headers?.get('Accept')).toBe('application/json');
    expect(headers?.get('Content-Type')).toBe('application/x-www-form-urlencoded');
    expect(headers?.get('X-Amz-Target')).toBe('iam.ListUsers');
    expect(headers?.get('X-Moorage-Region')).toBe('eu-central-1');
    expect(headers?.get('X-Moorage-Build')).toBe('b1');
  });

  test('numbers the elements of lists', async () => {
    serve({ CreateOpenIDConnectProvider: { OpenIDConnectProviderArn: 'arn' } });
    await iam('CreateOpenIDConnectProvider', { Url: 'https://a', ClientIDList: ['one', 'two'] });
    expect(requests[0]?.form.get('ClientIDList.member.1')).toBe('one');
    expect(requests[0]?.form.get('ClientIDList.member.2')).toBe('two');
  });

  test('fails with the error of IAM', async () => {
    const message = 'User: arn:aws:iam::1:user/u is not authorized to perform: iam:GetUser on resource: x';
    serve({ GetUser: () => [403, { Error: { Code: 'AccessDenied', Message: message, Type: 'Sender' }, RequestId: 'r' }] });
    const error: unknown = await iam('GetUser', { UserName: 'u' }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'AccessDenied', status: 403 });
    expect(isDenied(error) && missingAction(error)).toBe('iam:GetUser');
  });

  test('fails with the error of the console’s own endpoint', async () => {
    serve({ GetUser: () => [403, { __type: 'CrossSiteRequest', message: 'No' }] });
    const error: unknown = await iam('GetUser', { UserName: 'u' }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 'CrossSiteRequest', message: 'No' });
  });

  test('returns policies encoded', () => {
    expect(decoded('%7B%22a%22%3A%20%22%C3%A9%2B%22%7D')).toBe('{"a": "é+"}');
    expect(decoded(undefined)).toBe('');
  });
});

test('a user is deleted after what it has, also if that is more than a page', async () => {
  const names = ['a', 'b', 'c'];
  serve({
    ListAccessKeys: { AccessKeyMetadata: [{ AccessKeyId: 'AKIA' }] },
    DeleteAccessKey: {},
    ListUserPolicies: () => [200, { PolicyNames: names.slice(0, 2), Marker: names.length > 2 ? 'more' : null }],
    DeleteUserPolicy: (form: URLSearchParams) => {
      names.splice(names.indexOf(form.get('PolicyName') ?? ''), 1);
      return [200, {}];
    },
    ListAttachedUserPolicies: { AttachedPolicies: [] },
    DeleteUser: {},
  });
  await deleteEntity({ kind: 'user', name: 'ci' });
  expect(names).toEqual([]);
  expect(operations().at(-1)).toBe('DeleteUser');
  expect(operations()).toContain('DeleteAccessKey');
});

describe('a statement', () => {
  const statement = '{"Effect": "Allow",\n "Resource": "😀*"}';
  const text = `{"Statement": [\n  ${statement}]}`;

  test('is found by its place, in characters', () => {
    expect(statementAt(text, { Line: 2, Column: 3 }, { Line: 3, Column: 19 })).toBe('{\n  "Effect": "Allow",\n  "Resource": "😀*"\n}');
  });

  test.each([
    [undefined, undefined],
    [{ Line: 2, Column: 4 }, { Line: 3, Column: 19 }],
    [{ Line: 1, Column: 1 }, { Line: 3, Column: 21 }],
    [{ Line: 9, Column: 1 }, { Line: 9, Column: 2 }],
  ])('is not made up for a text that has changed: %j', (start, end) => {
    expect(statementAt(text, start, end)).toBeUndefined();
  });
});

describe('an explanation', () => {
  const asked = { who: 'ci', kind: 'user', question: 'pull', action: '', resource: 'team/app' } as const;
  const where = { account: '000000000000', region: 'eu-central-1' };
  const matched = {
    SourcePolicyId: 'own',
    SourcePolicyType: 'user',
    StartPosition: { Line: 1, Column: 15 },
    EndPosition: { Line: 1, Column: 34 },
  };
  const evaluate = (form: URLSearchParams): Result => [
    200,
    {
      EvaluationResults: [...form.entries()]
        .filter(([name]) => name.startsWith('ActionNames.'))
        .map(([, action]) => ({
          EvalActionName: action,
          EvalDecision: action === 'ecr:GetAuthorizationToken' ? 'implicitDeny' : 'allowed',
          MatchedStatements: action === 'ecr:GetAuthorizationToken' ? [] : [matched],
        })),
    },
  ];

  test('names each action once, with the statement that decided', async () => {
    serve({
      GetUser: { User: { Arn: 'arn:aws:iam::000000000000:user/ci/ci' } },
      SimulatePrincipalPolicy: evaluate,
      GetUserPolicy: { PolicyDocument: encodeURIComponent('{"Statement": {"Effect": "Allow"}}') },
    });
    await expect(explain(asked, where)).resolves.toEqual([
      { decision: 'implicitDeny', actions: ['ecr:GetAuthorizationToken'], reasons: [] },
      {
        decision: 'allowed',
        actions: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        reasons: [{ policy: 'own', type: 'user', statement: '{\n  "Effect": "Allow"\n}' }],
      },
    ]);
    const [first] = requests.filter(({ form }) => form.get('Action') === 'SimulatePrincipalPolicy');
    expect(first?.form.get('PolicySourceArn')).toBe('arn:aws:iam::000000000000:user/ci/ci');
    expect(first?.form.get('ResourceArns.member.1')).toBe('arn:aws:ecr:eu-central-1:000000000000:repository/team/app');
    expect(operations().filter((operation) => operation === 'GetUserPolicy')).toHaveLength(1);
  });

  test('needs no permission to read the user and its policies', async () => {
    const denied = (): Result => [403, { Error: { Code: 'AccessDenied', Message: 'no' } }];
    serve({ GetUser: denied, SimulatePrincipalPolicy: evaluate, GetUserPolicy: denied });
    const [, allowed] = await explain(asked, where);
    expect(allowed?.reasons).toEqual([{ policy: 'own', type: 'user', statement: undefined }]);
  });

  test('of a user that does not exist says so', async () => {
    serve({ GetUser: () => [404, { Error: { Code: 'NoSuchEntity', Message: 'No such user' } }] });
    await expect(explain(asked, where)).rejects.toMatchObject({ code: 'NoSuchEntity', message: 'No such user' });
  });
});
