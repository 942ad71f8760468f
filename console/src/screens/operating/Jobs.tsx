import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SegmentedControl from '@cloudscape-design/components/segmented-control';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator, { type StatusIndicatorProps } from '@cloudscape-design/components/status-indicator';
import { useState } from 'react';

import { moorage } from '../../api/moorage';
import type { Job } from '../../api/operating';
import { notify } from '../../app/notifications';
import { setQuery, usePlace } from '../../app/router';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { ErrorNote } from '../../components/ErrorNote';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { useAction } from '../../components/useAction';
import { usePages } from '../../components/usePages';
import { formatNumber, formatTime, nameOf, t } from '../../messages';

const PAGE = 50;
const STATES = ['WAITING', 'RUNNING', 'DEAD'] as const;
const TYPES: Record<Job['status'], StatusIndicatorProps.Type> = { WAITING: 'pending', RUNNING: 'in-progress', DEAD: 'error' };

const nameOfJob = ({ kind, key }: Job): string => (key === '' ? kind : `${kind} ${key}`);

/** The background jobs of the server, which can be run now or dropped. */
export function Jobs() {
  const wanted = usePlace().query.get('state');
  const state = STATES.find((one) => one === wanted);
  const [selected, setSelected] = useState<Job[]>([]);
  const [dropping, setDropping] = useState(false);
  const action = useAction();
  const pages = usePages<Job>(`jobs ${state ?? ''}`, async (nextToken, signal) => {
    const input = { maxResults: PAGE, ...(state === undefined ? {} : { status: state }), ...(nextToken === undefined ? {} : { nextToken }) };
    const answer = await moorage('ListJobs', input, signal);
    return { items: answer.jobs, nextToken: answer.nextToken };
  });
  const [job] = selected;
  const again = () => {
    setSelected([]);
    pages.reload();
  };
  const retry = async ({ kind, key }: Job) => {
    await moorage('RetryJob', { kind, key });
    notify('success', t('jobs.retried', { name: nameOfJob({ kind, key } as Job) }));
    again();
  };
  return (
    <Screen title={t('nav.jobs')} description={t('jobs.why')}>
      <SpaceBetween size="s">
        <ErrorNote error={action.error} />
        <PagedTable
          pages={pages}
          label={t('nav.jobs')}
          rows={10}
          trackBy={nameOfJob}
          labelOf={nameOfJob}
          selectionType="single"
          selected={selected}
          onSelect={setSelected}
          empty={t('jobs.none')}
          columns={[
            { id: 'kind', minWidth: 180, header: t('jobs.kind'), isRowHeader: true, cell: ({ kind }) => <Name>{kind}</Name> },
            { id: 'key', header: t('jobs.key'), cell: ({ key }) => <Name>{key === '' ? '–' : key}</Name> },
            {
              id: 'status',
              minWidth: 150,
              header: t('image.status'),
              cell: ({ status }) => <StatusIndicator type={TYPES[status]}>{nameOf('jobs.status', status)}</StatusIndicator>,
            },
            { id: 'due', header: t('jobs.due'), cell: ({ dueAt }) => formatTime(dueAt) },
            { id: 'attempts', header: t('jobs.attempts'), cell: ({ attempts }) => formatNumber(attempts) },
            { id: 'error', header: t('jobs.lastError'), cell: ({ lastError }) => <Name>{lastError}</Name> },
          ]}
          filter={<StateFilter state={state} onChange={() => setSelected([])} />}
          header={
            <Header
              variant="h2"
              actions={
                pages.refused ? undefined : (
                  <SpaceBetween direction="horizontal" size="xs">
                    <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />
                    <Button
                      disabled={job === undefined || job.status === 'RUNNING'}
                      loading={action.busy}
                      onClick={() => void (job !== undefined && action.run(() => retry(job)))}
                    >
                      {t('jobs.retry')}
                    </Button>
                    <Button disabled={job === undefined || job.status === 'RUNNING' || job.key === ''} onClick={() => setDropping(true)}>
                      {t('jobs.drop')}
                    </Button>
                  </SpaceBetween>
                )
              }
            >
              {t('nav.jobs')}
            </Header>
          }
        />
      </SpaceBetween>
      {dropping && job !== undefined && (
        <ConfirmDialog
          title={t('jobs.dropTitle')}
          warning={t('jobs.dropWarning')}
          button={t('jobs.drop')}
          onClose={() => setDropping(false)}
          onConfirm={async () => {
            await moorage('DropJob', { kind: job.kind, key: job.key });
            notify('success', t('jobs.dropped', { name: nameOfJob(job) }));
            again();
          }}
        >
          <Name>{nameOfJob(job)}</Name>
        </ConfirmDialog>
      )}
    </Screen>
  );
}

function StateFilter({ state, onChange }: { state: Job['status'] | undefined; onChange: () => void }) {
  return (
    <SegmentedControl
      label={t('image.status')}
      selectedId={state ?? 'all'}
      options={[{ id: 'all', text: t('jobs.all') }, ...STATES.map((id) => ({ id, text: nameOf('jobs.status', id) }))]}
      onChange={(event) => {
        onChange();
        setQuery({ state: event.detail.selectedId === 'all' ? undefined : event.detail.selectedId });
      }}
    />
  );
}
