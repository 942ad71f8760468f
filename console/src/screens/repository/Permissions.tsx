import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import Grid from '@cloudscape-design/components/grid';
import Header from '@cloudscape-design/components/header';
import { useState } from 'react';

import { ecr } from '../../api/client';
import { isCode } from '../../api/errors';
import type { ScreenParams } from '../../app/routes';
import { DocumentEditor } from '../../components/DocumentEditor';
import { useDocument } from '../../components/useDocument';
import { t } from '../../messages';
import { useSession } from '../../app/session';
import { ExplainPanel } from '../identity/ExplainPanel';
import { RepositoryScreen } from './RepositoryScreen';

/** The policy of a repository: who besides the account's own users may use it. */
export function Permissions({ params }: ScreenParams) {
  const name = params.name ?? '';
  return (
    <RepositoryScreen name={name} tab="permissions">
      {() => (
        <Grid
          gridDefinition={[
            { colspan: { default: 12, s: 7 } },
            { colspan: { default: 12, s: 5 } },
          ]}
        >
          <Container>
            <Editor name={name} />
          </Container>
          <Container header={<Header variant="h2" description={t('explain.saved')}>{t('nav.explain')}</Header>}>
            <ExplainPanel repository={name} />
          </Container>
        </Grid>
      )}
    </RepositoryScreen>
  );
}

function Editor({ name }: { name: string }) {
  const { account } = useSession();
  const [force, setForce] = useState(false);
  const document = useDocument({
    key: `policy of ${name}`,
    read: async (signal) => {
      try {
        return (await ecr('GetRepositoryPolicy', { repositoryName: name }, signal)).policyText ?? '';
      } catch (error) {
        if (isCode(error, 'RepositoryPolicyNotFoundException')) return '';
        throw error;
      }
    },
    write: async (policyText) => {
      await ecr('SetRepositoryPolicy', { repositoryName: name, policyText, force });
    },
  });
  return (
    <DocumentEditor
      document={document}
      label={t('permissions.repository')}
      description={t('permissions.repositoryWhy')}
      template={example(account)}
      remove={async () => {
        await ecr('DeleteRepositoryPolicy', { repositoryName: name });
      }}
    >
      <Checkbox checked={force} description={t('permissions.forceWhy')} onChange={(event) => setForce(event.detail.checked)}>
        {t('permissions.force')}
      </Checkbox>
    </DocumentEditor>
  );
}

/** A policy that lets the account pull, to begin with. */
function example(account: string): string {
  const statement = {
    Sid: 'AllowPull',
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${account}:root` },
    Action: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchCheckLayerAvailability'],
  };
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] }, null, 2);
}
