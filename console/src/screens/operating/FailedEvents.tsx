import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { moorage } from '../../api/moorage';
import type { FailedEvent, Webhook } from '../../api/operating';
import { notify } from '../../app/notifications';
import { ErrorNote } from '../../components/ErrorNote';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { useAction } from '../../components/useAction';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { JsonDialog } from './JsonDialog';

const PAGE = 25;

/** The events that a webhook did not accept. All of them, or a chosen one, can be sent again. */
export function FailedEvents({ webhook: { webhookId, url }, onReplayed }: { webhook: Webhook; onReplayed: () => void }) {
  const [selected, setSelected] = useState<FailedEvent[]>([]);
  const [opened, setOpened] = useState<FailedEvent>();
  const action = useAction();
  const pages = usePages<FailedEvent>(`failed events ${webhookId}`, async (nextToken, signal) => {
    const input = { webhookId, maxResults: PAGE, ...(nextToken === undefined ? {} : { nextToken }) };
    const answer = await moorage('ListFailedEvents', input, signal);
    return { items: answer.failedEvents, nextToken: answer.nextToken };
  });
  const [event] = selected;
  const replay = async (which: { stream?: string; eventId?: string }) => {
    const number = await replayAll({ webhookId, ...which });
    notify('success', t('failedEvents.replayed', { number, name: url }));
    setSelected([]);
    pages.reload();
    onReplayed();
  };
  return (
    <SpaceBetween size="s">
      <ErrorNote error={action.error} />
      <PagedTable
        pages={pages}
        label={t('failedEvents.title')}
        rows={3}
        trackBy={({ stream, eventId }) => `${stream} ${eventId}`}
        labelOf={({ eventId }) => eventId}
        selectionType="single"
        selected={selected}
        onSelect={setSelected}
        empty={t('failedEvents.none')}
        columns={[
          { id: 'id', header: t('failedEvents.id'), isRowHeader: true, cell: ({ eventId }) => <Name>{eventId}</Name> },
          { id: 'stream', header: t('failedEvents.stream'), cell: ({ stream }) => <Name>{stream}</Name> },
          { id: 'recorded', header: t('failedEvents.recorded'), cell: ({ recordedAt }) => formatTime(recordedAt) },
          { id: 'error', header: t('failedEvents.error'), cell: ({ error }) => <Name>{error}</Name> },
        ]}
        header={
          <Header
            variant="h2"
            description={<Name>{url}</Name>}
            actions={
              pages.refused ? undefined : (
                <SpaceBetween direction="horizontal" size="xs">
                  <Button disabled={event === undefined} onClick={() => setOpened(event)}>
                    {t('failedEvents.show')}
                  </Button>
                  <Button
                    disabled={event === undefined}
                    loading={action.busy}
                    onClick={() =>
                      void (event !== undefined && action.run(() => replay({ stream: event.stream, eventId: event.eventId })))
                    }
                  >
                    {t('failedEvents.replayOne')}
                  </Button>
                  <Button
                    disabled={(pages.data?.items.length ?? 0) === 0}
                    loading={action.busy}
                    onClick={() => void action.run(() => replay({}))}
                  >
                    {t('failedEvents.replayAll')}
                  </Button>
                </SpaceBetween>
              )
            }
          >
            {t('failedEvents.title')}
          </Header>
        }
      />
      {opened !== undefined && <JsonDialog title={t('failedEvents.event')} text={opened.event} onClose={() => setOpened(undefined)} />}
    </SpaceBetween>
  );
}

/** Send events again, of which the server takes some in each request. Returns how many. */
async function replayAll(which: { webhookId: string; stream?: string; eventId?: string }): Promise<number> {
  let number = 0;
  let page: { nextToken?: string } = {};
  do {
    const { replayedEvents, nextToken } = await moorage('ReplayFailedEvents', { ...which, ...page });
    number += replayedEvents;
    page = nextToken === undefined ? {} : { nextToken };
  } while (page.nextToken !== undefined);
  return number;
}
