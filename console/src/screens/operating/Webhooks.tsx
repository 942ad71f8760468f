import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { moorage } from '../../api/moorage';
import type { Webhook } from '../../api/operating';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { TagList } from '../../components/TagList';
import { usePages } from '../../components/usePages';
import { formatNumber, formatTime, t } from '../../messages';
import { FailedEvents } from './FailedEvents';

const PAGE = 25;

/** The receivers of events, and for the chosen one the events that it did not accept. */
export function Webhooks() {
  const [selected, setSelected] = useState<Webhook[]>([]);
  const pages = usePages<Webhook>('webhooks', async (nextToken, signal) => {
    const answer = await moorage('ListWebhooks', { maxResults: PAGE, ...(nextToken === undefined ? {} : { nextToken }) }, signal);
    return { items: answer.webhooks, nextToken: answer.nextToken };
  });
  const [webhook] = selected;
  return (
    <Screen title={t('nav.webhooks')} description={t('webhooks.why')}>
      <SpaceBetween size="l">
        <PagedTable
          pages={pages}
          label={t('nav.webhooks')}
          rows={3}
          trackBy={({ webhookId }) => webhookId}
          labelOf={({ url }) => url}
          selectionType="single"
          selected={selected}
          onSelect={setSelected}
          empty={t('webhooks.none')}
          columns={[
            { id: 'url', minWidth: 180, header: t('webhooks.url'), isRowHeader: true, cell: ({ url }) => <Name>{url}</Name> },
            { id: 'id', minWidth: 130, header: t('webhooks.id'), cell: ({ webhookId }) => <Name>{webhookId}</Name> },
            { id: 'format', minWidth: 120, header: t('webhooks.format'), cell: ({ format }) => <Name>{format}</Name> },
            { id: 'events', header: t('webhooks.events'), cell: ({ events }) => (events.length === 0 ? t('webhooks.all') : <TagList tags={events} first={2} />) },
            { id: 'waiting', header: t('webhooks.waiting'), cell: (one) => count(one, one.waitingEvents) },
            { id: 'failed', header: t('webhooks.failed'), cell: (one) => count(one, one.failedEvents) },
            { id: 'created', header: t('repository.created'), cell: ({ createdAt }) => formatTime(createdAt) },
          ]}
          header={
            <Header
              variant="h2"
              description={t('webhooks.choose')}
              actions={pages.refused ? undefined : <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />}
            >
              {t('nav.webhooks')}
            </Header>
          }
        />
        {webhook !== undefined && <FailedEvents key={webhook.webhookId} webhook={webhook} onReplayed={pages.reload} />}
      </SpaceBetween>
    </Screen>
  );
}

/** A number of events; the server stops counting at some point. */
function count({ isCountPartial }: Webhook, number: number): string {
  return isCountPartial ? t('webhooks.atLeast', { number }) : formatNumber(number);
}
