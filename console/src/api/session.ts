import { errorOf, Unavailable } from './errors';

/** Somebody who vouches for people: an OpenID Connect issuer. */
export interface Provider {
  id: string;
  label: string;
}

export interface SignedOut {
  signedIn: false;
  providers: Provider[];
  build: string;
}

export interface SignedIn {
  signedIn: true;
  account: string;
  arn: string;
  name: string;
  region: string;
  regions: string[];
  /** Seconds since the Unix epoch. */
  expires: number;
  /** HOST[:PORT] of images. */
  registryHost: string;
  endpointUrl: string;
  version: string;
  build: string;
  providers: Provider[];
}

export type Session = SignedIn | SignedOut;

export interface AccessKey {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

const PATH = '/console/session';

/** Send a request to the server; a server that does not answer is unavailable. */
export async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Unavailable(5);
  }
  if (response.status === 502 || response.status === 503 || response.status === 504) {
    throw new Unavailable(Number(response.headers.get('Retry-After')) || 5);
  }
  return response;
}

/** The JSON of a body, or `undefined` if it is none. */
export async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await (response.json() as Promise<unknown>);
  } catch {
    return undefined;
  }
}

async function session(path: string, init: RequestInit): Promise<Session> {
  const response = await send(path, init);
  const body = await bodyOf(response);
  if (!response.ok) throw errorOf(response.status, body);
  return body as Session;
}

const json = { 'Content-Type': 'application/json' };

export const readSession = (): Promise<Session> => session(PATH, { method: 'GET' });

export const signIn = (key: AccessKey): Promise<Session> =>
  session(PATH, { method: 'POST', headers: json, body: JSON.stringify(key) });

/** Sign in with the token of a link that the server's owner made; it works once. */
export const signInWithLink = (token: string): Promise<Session> =>
  session(PATH, { method: 'POST', headers: json, body: JSON.stringify({ token }) });

export const renewSession = (): Promise<Session> =>
  session(`${PATH}/renew`, { method: 'POST', headers: json, body: '{}' });

export async function signOut(): Promise<void> {
  await send(PATH, { method: 'DELETE' });
}

export const providerPath = (provider: Provider, popup: boolean): string =>
  `/console/sign-in/${encodeURIComponent(provider.id)}${popup ? '?popup=1' : ''}`;
