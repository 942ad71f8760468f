import { request } from './client';
import { errorOf } from './errors';
import { bodyOf } from './session';

export interface SigningProfile {
  profileName?: string;
  profileVersion?: string;
  profileVersionArn?: string;
  platformId?: string;
  platformDisplayName?: string;
  status?: 'Active' | 'Canceled' | 'Revoked';
  arn?: string;
  signatureValidityPeriod?: { value?: number; type?: 'DAYS' | 'MONTHS' | 'YEARS' };
}

interface ListSigningProfilesResponse {
  profiles?: SigningProfile[];
  nextToken?: string;
}

/** The platform of profiles that sign images. */
const PLATFORM = 'Notation-OCI-SHA384-ECDSA';

async function call(method: string, path: string, input?: object, signal?: AbortSignal): Promise<unknown> {
  const body = input === undefined ? {} : { body: JSON.stringify(input), headers: { 'Content-Type': 'application/json' } };
  const response = await request(`/console/api${path}`, { method, signal: signal ?? null, ...body });
  const answer = await bodyOf(response);
  if (!response.ok) {
    const code = response.headers.get('x-amzn-ErrorType')?.replace(/:.*/, '');
    throw errorOf(response.status, code === undefined ? answer : { ...(answer as object), __type: code });
  }
  return answer;
}

/** A page of signing profiles that can be used. */
export async function signingProfiles(nextToken: string | undefined, signal: AbortSignal): Promise<ListSigningProfilesResponse> {
  const token = nextToken === undefined ? '' : `&nextToken=${encodeURIComponent(nextToken)}`;
  return (await call('GET', `/signing-profiles?maxResults=25${token}`, undefined, signal)) as ListSigningProfilesResponse;
}

/** Create a signing profile whose signatures are valid for so many months. */
export async function createSigningProfile(name: string, months: number): Promise<void> {
  await call('PUT', `/signing-profiles/${encodeURIComponent(name)}`, {
    platformId: PLATFORM,
    signatureValidityPeriod: { value: months, type: 'MONTHS' },
  });
}

/** Cancel a profile: it signs no more, and its signatures stay valid. */
export async function cancelSigningProfile(name: string): Promise<void> {
  await call('DELETE', `/signing-profiles/${encodeURIComponent(name)}`);
}
