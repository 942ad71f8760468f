import Badge from '@cloudscape-design/components/badge';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { moorage } from '../../api/moorage';
import type { ConsoleSession } from '../../api/operating';
import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';

const PAGE = 50;

/** Who is signed in at the console, and the links that nobody has used. */
export function Sessions() {
  const [selected, setSelected] = useState<ConsoleSession[]>([]);
  const [ending, setEnding] = useState(false);
  const pages = usePages<ConsoleSession>('console sessions', async (nextToken, signal) => {
    const answer = await moorage('ListConsoleSessions', { maxResults: PAGE, ...(nextToken === undefined ? {} : { nextToken }) }, signal);
    return { items: answer.sessions, nextToken: answer.nextToken };
  });
  const [session] = selected;
  return (
    <Screen title={t('nav.sessions')} description={t('sessions.why')}>
      <PagedTable
        pages={pages}
        label={t('nav.sessions')}
        trackBy={({ sessionId }) => sessionId}
        labelOf={({ sessionId, principalArn }) => `${principalArn} ${sessionId}`}
        selectionType="single"
        selected={selected}
        onSelect={setSelected}
        empty={t('sessions.none')}
        columns={[
          { id: 'principal', minWidth: 200, header: t('sessions.principal'), isRowHeader: true, cell: (one) => <Who session={one} /> },
          { id: 'started', minWidth: 150, header: t('sessions.started'), cell: ({ startedAt }) => formatTime(startedAt) },
          { id: 'expires', minWidth: 150, header: t('sessions.expires'), cell: ({ expiresAt }) => formatTime(expiresAt) },
          { id: 'address', minWidth: 120, header: t('sessions.address'), cell: ({ sourceIpAddress }) => <Name>{sourceIpAddress}</Name> },
          { id: 'browser', header: t('sessions.browser'), cell: ({ userAgent }) => <Name>{userAgent}</Name> },
        ]}
        header={
          <Header
            variant="h2"
            actions={
              pages.refused ? undefined : (
                <SpaceBetween direction="horizontal" size="xs">
                  <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />
                  <Button disabled={session === undefined || session.isCurrent} onClick={() => setEnding(true)}>
                    {t('sessions.end')}
                  </Button>
                </SpaceBetween>
              )
            }
          >
            {t('nav.sessions')}
          </Header>
        }
      />
      {ending && session !== undefined && (
        <ConfirmDialog
          title={t('sessions.endTitle')}
          warning={session.isLink ? t('sessions.linkWarning') : t('sessions.endWarning')}
          button={t('sessions.end')}
          onClose={() => setEnding(false)}
          onConfirm={async () => {
            await moorage('EndConsoleSession', { sessionId: session.sessionId });
            notify('success', t('sessions.ended', { name: session.principalArn }));
            setSelected([]);
            pages.reload();
          }}
        >
          <Name>{session.principalArn}</Name>
        </ConfirmDialog>
      )}
    </Screen>
  );
}

function Who({ session: { principalArn, isCurrent, isLink } }: { session: ConsoleSession }) {
  return (
    <SpaceBetween direction="horizontal" size="xs">
      <Name>{principalArn}</Name>
      {isCurrent && <Badge color="blue">{t('sessions.current')}</Badge>}
      {isLink && <Badge>{t('sessions.link')}</Badge>}
    </SpaceBetween>
  );
}
