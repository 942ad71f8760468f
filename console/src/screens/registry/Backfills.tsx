import Button from '@cloudscape-design/components/button';
import ButtonDropdown from '@cloudscape-design/components/button-dropdown';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { ecr } from '../../api/client';
import type { ReplicationBackfillSummary, ReplicationDestination } from '../../api/ecr';
import { notify } from '../../app/notifications';
import { errorText } from '../../components/ErrorNote';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { Status } from '../image/statuses';

const PAGE = 25;
const RUNNING = new Set(['PREPARING', 'IN_PROGRESS']);

const nameOfDestination = ({ region, registryId }: ReplicationDestination): string => `${registryId} ${region}`;

/** Copying what was pushed before a rule was there. */
export function Backfills({ destinations }: { destinations: ReplicationDestination[] }) {
  const [selected, setSelected] = useState<ReplicationBackfillSummary[]>([]);
  const pages = usePages('backfills', async (nextToken, signal) => {
    const token = nextToken === undefined ? {} : { nextToken };
    const answer = await ecr('ListReplicationBackfills', { maxResults: PAGE, ...token }, signal);
    return { items: answer.backfills ?? [], nextToken: answer.nextToken };
  });
  const [backfill] = selected;
  const act = async (call: () => Promise<unknown>) => {
    try {
      await call();
    } catch (error) {
      notify('error', errorText(error));
    }
    setSelected([]);
    pages.reload();
  };
  return (
    <PagedTable
      pages={pages}
      label={t('backfill.title')}
      rows={2}
      trackBy={(one) => one.replicationBackfillId}
      labelOf={(one) => nameOfDestination(one.destination)}
      selectionType="single"
      selected={selected}
      onSelect={setSelected}
      empty={t('backfill.none')}
      columns={[
        { id: 'to', header: t('backfill.destination'), isRowHeader: true, cell: (one) => <Name>{nameOfDestination(one.destination)}</Name> },
        { id: 'status', header: t('image.status'), cell: (one) => <Status of={one.status} /> },
        { id: 'progress', header: t('backfill.progress'), cell: progress },
        { id: 'started', header: t('backfill.started'), cell: (one) => formatTime(one.startedAt) },
        { id: 'ended', header: t('backfill.ended'), cell: (one) => formatTime(one.endedAt) },
      ]}
      header={
        <Header
          variant="h2"
          description={t('backfill.why')}
          actions={
            pages.refused ? undefined : (
              <SpaceBetween direction="horizontal" size="xs">
                <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />
                <Button
                  disabled={backfill === undefined || !RUNNING.has(backfill.status)}
                  onClick={() =>
                    void act(() =>
                      ecr('StopReplicationBackfill', { replicationBackfillId: backfill?.replicationBackfillId ?? '' }),
                    )
                  }
                >
                  {t('backfill.stop')}
                </Button>
                <ButtonDropdown
                  disabled={destinations.length === 0}
                  items={destinations.map((one, index) => ({ id: String(index), text: nameOfDestination(one) }))}
                  onItemClick={(event) => {
                    const destination = destinations[Number(event.detail.id)];
                    if (destination !== undefined) void act(() => ecr('StartReplicationBackfill', { destination }));
                  }}
                >
                  {t('backfill.start')}
                </ButtonDropdown>
              </SpaceBetween>
            )
          }
        >
          {t('backfill.title')}
        </Header>
      }
    />
  );
}

function progress({ progress: of }: ReplicationBackfillSummary): string {
  if (of === undefined) return '–';
  const { totalReplicationCount, completedReplicationCount, failedReplicationCount } = of;
  return t('backfill.counts', { done: completedReplicationCount, total: totalReplicationCount, failed: failedReplicationCount });
}
