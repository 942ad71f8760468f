import { createCacheSecret } from '../../api/secrets';
import type { Credentials } from './CredentialFields';

/** The ARN of the secret that was chosen; a new secret is created first. */
export async function credentialArn(credentials: Credentials): Promise<string | undefined> {
  if (credentials.kind === 'none') return undefined;
  if (credentials.kind === 'existing') return credentials.arn;
  return createCacheSecret(credentials.name, credentials.username, credentials.token);
}
