import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { ecr } from '../../api/client';
import type { GetLifecyclePolicyPreviewResponse, LifecyclePolicyPreviewResult } from '../../api/ecr';
import { ApiError, isCode } from '../../api/errors';
import { repositoryPath } from '../../app/router';
import { ErrorNote } from '../../components/ErrorNote';
import { Digest } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { PagedTable } from '../../components/PagedTable';
import { Lines } from '../../components/Part';
import { TagList } from '../../components/TagList';
import { useAction } from '../../components/useAction';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';

const PAGE = 20;
/** Milliseconds between two looks at a preview that runs; twice as long each time, up to the last. */
const FIRST_WAIT = 200;
const LONGEST_WAIT = 3000;

interface LifecyclePreviewProps {
  name: string;
  /** The text of the editor, saved or not. */
  text: string;
  isValid: boolean;
}

/** What the policy in the editor would do now, without doing it. */
export function LifecyclePreview({ name, text, isValid }: LifecyclePreviewProps) {
  const action = useAction();
  const [shown, setShown] = useState<{ text: string; first: GetLifecyclePolicyPreviewResponse }>();
  const start = async () => {
    await action.run(async () => {
      await begin(name, text);
      setShown({ text, first: await finished(name) });
    });
  };
  return (
    <SpaceBetween size="m">
      <Box color="text-body-secondary">{t('lifecycle.previewWhy')}</Box>
      <Button disabled={!isValid} loading={action.busy} onClick={() => void start()}>
        {t('lifecycle.run')}
      </Button>
      <ErrorNote error={action.error} />
      {action.busy && <Lines count={6} />}
      {!action.busy && shown !== undefined && (
        <SpaceBetween size="m">
          {shown.text !== text && <Alert type="warning">{t('lifecycle.stale')}</Alert>}
          <Totals of={shown.first} />
          <Results name={name} key={shown.text} />
        </SpaceBetween>
      )}
    </SpaceBetween>
  );
}

/** Start a preview. One that runs already is for another text, so it has to end first. */
async function begin(repositoryName: string, lifecyclePolicyText: string): Promise<void> {
  try {
    await ecr('StartLifecyclePolicyPreview', { repositoryName, lifecyclePolicyText });
  } catch (error) {
    if (!isCode(error, 'LifecyclePolicyPreviewInProgressException')) throw error;
    await finished(repositoryName);
    await ecr('StartLifecyclePolicyPreview', { repositoryName, lifecyclePolicyText });
  }
}

async function finished(repositoryName: string): Promise<GetLifecyclePolicyPreviewResponse> {
  for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
    const answer = await ecr('GetLifecyclePolicyPreview', { repositoryName, maxResults: 1 });
    if (answer.status === 'COMPLETE') return answer;
    if (answer.status !== 'IN_PROGRESS') throw new ApiError(answer.status ?? '', t('lifecycle.failed'), 200);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function Totals({ of }: { of: GetLifecyclePolicyPreviewResponse }) {
  const expiring = of.summary?.expiringImageTotalCount ?? 0;
  const moving = (of.summary?.transitioningImageTotalCounts ?? []).reduce((sum, { imageTotalCount = 0 }) => sum + imageTotalCount, 0);
  return (
    <div aria-live="polite">
      <Box variant="strong">{t('lifecycle.totals', { expiring, moving })}</Box>
    </div>
  );
}

function Results({ name }: { name: string }) {
  const pages = usePages<LifecyclePolicyPreviewResult>(`preview ${name}`, async (nextToken, signal) => {
    const token = nextToken === undefined ? {} : { nextToken };
    const answer = await ecr('GetLifecyclePolicyPreview', { repositoryName: name, maxResults: PAGE, ...token }, signal);
    return { items: answer.previewResults ?? [], nextToken: answer.nextToken };
  });
  return (
    <PagedTable
      pages={pages}
      variant="embedded"
      label={t('lifecycle.preview')}
      header={undefined}
      empty={t('lifecycle.nothing')}
      trackBy={(result) => `${result.imageDigest ?? ''} ${result.action?.type ?? ''}`}
      columns={[
        {
          id: 'image',
          header: t('retention.image'),
          cell: ({ imageDigest = '', imageTags = [] }) => (
            <>
              <NavLink to={repositoryPath(name, 'images', imageDigest)}>
                <Digest>{imageDigest}</Digest>
              </NavLink>
              {imageTags.length > 0 && <TagList tags={imageTags} first={2} />}
            </>
          ),
        },
        { id: 'pushed', header: t('image.pushed'), cell: ({ imagePushedAt }) => formatTime(imagePushedAt) },
        {
          id: 'action',
          header: t('lifecycle.action'),
          cell: ({ action, appliedRulePriority = 0 }) =>
            t(action?.type === 'TRANSITION' ? 'lifecycle.archives' : 'lifecycle.expires', { rule: appliedRulePriority }),
        },
      ]}
    />
  );
}
