import Container from '@cloudscape-design/components/container';

import { ecr } from '../../api/client';
import { isCode } from '../../api/errors';
import { regionOf, useSession } from '../../app/session';
import { DocumentEditor } from '../../components/DocumentEditor';
import { Screen } from '../../components/Screen';
import { useDocument } from '../../components/useDocument';
import { t } from '../../messages';

/** The policy of the registry: what other accounts may do in it, and what is denied to everybody. */
export function RegistryPermissions() {
  const session = useSession();
  const document = useDocument({
    key: 'policy of the registry',
    read: async (signal) => {
      try {
        return (await ecr('GetRegistryPolicy', {}, signal)).policyText ?? '';
      } catch (error) {
        if (isCode(error, 'RegistryPolicyNotFoundException')) return '';
        throw error;
      }
    },
    write: async (policyText) => {
      await ecr('PutRegistryPolicy', { policyText });
    },
  });
  return (
    <Screen title={t('nav.registryPermissions')} description={t('permissions.registryWhy')}>
      <Container>
        <DocumentEditor
          document={document}
          label={t('permissions.registry')}
          template={example(session.account, regionOf(session))}
          remove={async () => {
            await ecr('DeleteRegistryPolicy', {});
          }}
        />
      </Container>
    </Screen>
  );
}

/** A policy that lets an account replicate to this one, to begin with. */
function example(account: string, region: string): string {
  const statement = {
    Sid: 'AllowReplication',
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${account}:root` },
    Action: ['ecr:ReplicateImage', 'ecr:CreateRepository'],
    Resource: [`arn:aws:ecr:${region}:${account}:repository/*`],
  };
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] }, null, 2);
}
