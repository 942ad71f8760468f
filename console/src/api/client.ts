import type { EcrOperations } from './ecr';
import { errorOf, NewerBuild, Unavailable } from './errors';
import { bodyOf, send } from './session';

/** What the application does when the server ends a session, has a newer build, or is down. */
export interface Surroundings {
  region: () => string;
  /** The build that this page was loaded from, which the server compares with its own. */
  build: () => string;
  /** Resolves when somebody has signed in again; the request is then repeated. */
  signedInAgain: () => Promise<void>;
  newerBuild: () => void;
  unavailable: (error: Unavailable) => void;
  available: () => void;
}

let surroundings: Surroundings = {
  region: () => '',
  build: () => '',
  signedInAgain: () => Promise.reject(new Error('No session.')),
  newerBuild: () => undefined,
  unavailable: () => undefined,
  available: () => undefined,
};

export function surround(by: Surroundings): void {
  surroundings = by;
}

export function currentRegion(): string {
  return surroundings.region();
}

/** Send a request of a signed-in caller. Errors of the operation are returned as the response. */
export async function request(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('X-Moorage-Region', surroundings.region());
  headers.set('X-Moorage-Build', surroundings.build());
  let response: Response;
  try {
    response = await send(path, { ...init, headers });
  } catch (error) {
    if (error instanceof Unavailable) surroundings.unavailable(error);
    throw error;
  }
  surroundings.available();
  if (response.status === 409 && errorOf(409, await bodyOf(response.clone())).code === 'NewerBuild') {
    surroundings.newerBuild();
    throw new NewerBuild();
  }
  if (response.status !== 401) return response;
  await surroundings.signedInAgain();
  return request(path, init);
}

/** Call an operation of a service with the JSON protocol. */
export async function callJson(target: string, input: object, signal?: AbortSignal): Promise<unknown> {
  const response = await request('/console/api/', {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': target },
    body: JSON.stringify(input),
    signal: signal ?? null,
  });
  const body = await bodyOf(response);
  if (!response.ok) throw errorOf(response.status, body);
  return body ?? {};
}

/** Call an operation of ECR. */
export async function ecr<Name extends keyof EcrOperations>(
  operation: Name,
  input: EcrOperations[Name][0],
  signal?: AbortSignal,
): Promise<EcrOperations[Name][1]> {
  const answer = await callJson(`AmazonEC2ContainerRegistry_V20150921.${operation}`, input, signal);
  return answer as EcrOperations[Name][1];
}
