import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useRef, useState } from 'react';

import { moorage } from '../../api/moorage';
import type { AuditRecord, SearchAuditRecordsRequest } from '../../api/operating';
import { usePlace } from '../../app/router';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { AuditFilter } from './AuditFilter';
import { requestOf, searchOf } from './auditSearch';
import { JsonDialog } from './JsonDialog';
import { useScope } from './ScopeChoice';

const PAGE = 50;

/** The records of the audit log, the newest first. */
export function Audit() {
  const search = searchOf(usePlace().query);
  const scope = useScope();
  const [opened, setOpened] = useState<AuditRecord>();
  const [backTo, setBackTo] = useState<number>();
  const first = useRef<SearchAuditRecordsRequest>({}); // All pages of a search have the times of its first page.
  const pages = usePages<AuditRecord>(`audit ${scope} ${JSON.stringify(search)}`, async (nextToken, signal) => {
    if (nextToken === undefined) first.current = { scope, maxResults: PAGE, ...requestOf(search, Date.now() / 1000) };
    const answer = await moorage('SearchAuditRecords', { ...first.current, ...(nextToken === undefined ? {} : { nextToken }) }, signal);
    setBackTo(answer.searchedBackTo);
    return { items: answer.records, nextToken: answer.nextToken };
  });
  return (
    <Screen title={t('nav.audit')} description={t('audit.why')}>
      <PagedTable
        pages={pages}
        label={t('nav.audit')}
        rows={10}
        trackBy={({ eventId }) => eventId}
        empty={pages.hasMore ? t('audit.noneYet') : t('audit.none')}
        filter={<AuditFilter search={search} />}
        columns={[
          {
            id: 'time',
            minWidth: 130,
            header: t('audit.time'),
            isRowHeader: true,
            cell: (record) => (
              <Button variant="inline-link" ariaLabel={t('audit.open', { time: formatTime(record.eventTime) })} onClick={() => setOpened(record)}>
                {formatTime(record.eventTime)}
              </Button>
            ),
          },
          { id: 'event', minWidth: 170, header: t('audit.event'), cell: ({ eventName }) => <Name>{eventName}</Name> },
          { id: 'principal', minWidth: 200, header: t('audit.principal'), cell: ({ principal }) => <Name>{principal}</Name> },
          { id: 'address', minWidth: 120, header: t('sessions.address'), cell: ({ sourceIPAddress }) => <Name>{sourceIPAddress}</Name> },
          { id: 'outcome', header: t('audit.outcome'), cell: (record) => <Outcome of={record} /> },
        ]}
        header={
          <Header
            variant="h2"
            description={backTo === undefined ? undefined : t('audit.backTo', { time: formatTime(backTo) })}
            actions={pages.refused ? undefined : <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />}
          >
            {t('audit.records')}
          </Header>
        }
      />
      {opened !== undefined && <JsonDialog title={t('audit.record')} text={opened.record} onClose={() => setOpened(undefined)} />}
    </Screen>
  );
}

function Outcome({ of: { errorCode, errorMessage } }: { of: AuditRecord }) {
  if (errorCode === undefined) return <StatusIndicator type="success">{t('audit.succeeded')}</StatusIndicator>;
  return (
    <SpaceBetween size="xxs">
      <StatusIndicator type="error">
        <Name>{errorCode}</Name>
      </StatusIndicator>
      {errorMessage !== undefined && <Name>{errorMessage}</Name>}
    </SpaceBetween>
  );
}
