import { callJson } from './client';

export interface SecretListEntry {
  ARN?: string;
  Name?: string;
}

/** Pull-through cache rules accept only secrets whose names begin with this. */
export const SECRET_PREFIX = 'ecr-pullthroughcache/';

interface ListSecretsResponse {
  SecretList?: SecretListEntry[];
}

/** At most 100 secrets that pull-through cache rules can use. */
export async function cacheSecrets(signal?: AbortSignal): Promise<SecretListEntry[]> {
  const answer = (await callJson(
    'secretsmanager.ListSecrets',
    { MaxResults: 100, Filters: [{ Key: 'name', Values: [SECRET_PREFIX] }] },
    signal,
  )) as ListSecretsResponse;
  return answer.SecretList ?? [];
}

/** Create a secret with the credentials of an upstream registry. Return its ARN. */
export async function createCacheSecret(name: string, username: string, accessToken: string): Promise<string> {
  const answer = (await callJson('secretsmanager.CreateSecret', {
    Name: `${SECRET_PREFIX}${name}`,
    SecretString: JSON.stringify({ username, accessToken }),
    ClientRequestToken: randomToken(),
  })) as SecretListEntry;
  return answer.ARN ?? '';
}

/** 32 random characters. `crypto.randomUUID` does not exist on pages without TLS. */
function randomToken(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
