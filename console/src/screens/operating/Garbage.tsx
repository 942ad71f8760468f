import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { moorage } from '../../api/moorage';
import type { GarbageItem } from '../../api/operating';
import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { usePages } from '../../components/usePages';
import { formatSize, t } from '../../messages';

const MOST = 100;

/** What a garbage collection would remove now and why. It can be started. */
export function Garbage() {
  const [starting, setStarting] = useState(false);
  const [isComplete, setComplete] = useState(true);
  const pages = usePages<GarbageItem>('garbage', async (_, signal) => {
    const answer = await moorage('ListGarbage', { maxResults: MOST }, signal);
    setComplete(answer.isComplete);
    return { items: answer.items };
  });
  return (
    <Screen title={t('nav.garbage')} description={t('garbage.why')}>
      <SpaceBetween size="s">
        {!isComplete && <Alert type="info">{t('garbage.partial')}</Alert>}
        <PagedTable
          pages={pages}
          label={t('nav.garbage')}
          rows={8}
          trackBy={({ kind, name }) => `${kind} ${name}`}
          empty={isComplete ? t('garbage.none') : t('garbage.noneYet')}
          columns={[
            { id: 'kind', header: t('garbage.kind'), cell: ({ kind }) => <Name>{kind}</Name> },
            { id: 'name', header: t('garbage.name'), isRowHeader: true, cell: ({ name }) => <Name>{name}</Name> },
            { id: 'size', header: t('garbage.size'), cell: ({ size }) => (size === 0 ? '–' : formatSize(size)) },
            { id: 'reason', header: t('garbage.reason'), cell: ({ reason }) => <Name>{reason}</Name> },
          ]}
          header={
            <Header
              variant="h2"
              actions={
                pages.refused ? undefined : (
                  <SpaceBetween direction="horizontal" size="xs">
                    <Button iconName="refresh" ariaLabel={t('action.refresh')} loading={pages.loading} onClick={pages.reload} />
                    <Button onClick={() => setStarting(true)}>{t('garbage.start')}</Button>
                  </SpaceBetween>
                )
              }
            >
              {t('garbage.removable')}
            </Header>
          }
        />
      </SpaceBetween>
      {starting && (
        <ConfirmDialog
          title={t('garbage.startTitle')}
          warning={t('garbage.startWarning')}
          button={t('garbage.start')}
          onClose={() => setStarting(false)}
          onConfirm={async () => {
            await moorage('StartCollection', {});
            notify('success', t('garbage.started'));
            pages.reload();
          }}
        />
      )}
    </Screen>
  );
}
