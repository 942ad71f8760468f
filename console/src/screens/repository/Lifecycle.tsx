import Box from '@cloudscape-design/components/box';
import Container from '@cloudscape-design/components/container';
import Grid from '@cloudscape-design/components/grid';
import Header from '@cloudscape-design/components/header';
import { useState } from 'react';

import { ecr } from '../../api/client';
import { isCode } from '../../api/errors';
import type { ScreenParams } from '../../app/routes';
import { DocumentEditor } from '../../components/DocumentEditor';
import { useDocument } from '../../components/useDocument';
import { formatTime, t } from '../../messages';
import { LifecyclePreview } from './LifecyclePreview';
import { RepositoryScreen } from './RepositoryScreen';

/** The lifecycle policy of a repository, with what it would do beside it. */
export function Lifecycle({ params }: ScreenParams) {
  const name = params.name ?? '';
  return (
    <RepositoryScreen name={name} tab="lifecycle">
      {() => <Editor name={name} />}
    </RepositoryScreen>
  );
}

function example(): string {
  const rule = {
    rulePriority: 1,
    description: t('lifecycle.example'),
    selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 30 },
    action: { type: 'expire' },
  };
  return JSON.stringify({ rules: [rule] }, null, 2);
}

function Editor({ name }: { name: string }) {
  const [evaluated, setEvaluated] = useState<number>();
  const document = useDocument({
    key: `lifecycle policy of ${name}`,
    read: async (signal) => {
      try {
        const answer = await ecr('GetLifecyclePolicy', { repositoryName: name }, signal);
        setEvaluated(answer.lastEvaluatedAt);
        return answer.lifecyclePolicyText ?? '';
      } catch (error) {
        if (isCode(error, 'LifecyclePolicyNotFoundException')) return '';
        throw error;
      }
    },
    write: async (lifecyclePolicyText) => {
      await ecr('PutLifecyclePolicy', { repositoryName: name, lifecyclePolicyText });
    },
  });
  const hasRun = evaluated !== undefined && evaluated > 0;
  return (
    <Grid
      gridDefinition={[
        { colspan: { default: 12, s: 6 } },
        { colspan: { default: 12, s: 6 } },
      ]}
    >
      <Container>
        <DocumentEditor
          document={document}
          label={t('lifecycle.title')}
          description={t('lifecycle.why')}
          template={example()}
          remove={async () => {
            await ecr('DeleteLifecyclePolicy', { repositoryName: name });
          }}
        >
          <Box color="text-body-secondary">
            {hasRun ? t('lifecycle.evaluated', { time: formatTime(evaluated) }) : t('lifecycle.neverEvaluated')}
          </Box>
        </DocumentEditor>
      </Container>
      <Container header={<Header variant="h2">{t('lifecycle.preview')}</Header>}>
        <LifecyclePreview name={name} text={document.text} isValid={document.isValid && document.text !== ''} />
      </Container>
    </Grid>
  );
}
