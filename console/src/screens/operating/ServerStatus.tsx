import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import Table from '@cloudscape-design/components/table';
import { lazy, Suspense } from 'react';

import { moorage } from '../../api/moorage';
import type { Disk, GetServerStatusResponse, Migration } from '../../api/operating';
import { Name } from '../../components/Name';
import { Lines, Part } from '../../components/Part';
import { Screen } from '../../components/Screen';
import { useLoad } from '../../components/useLoad';
import { formatNumber, formatSize, formatTime, nameOf, t } from '../../messages';
import { VerificationFindings, VerificationResult } from './Verification';

const Traffic = lazy(() => import('./Traffic'));

/** How the server that answers is: its version, traffic and disks, and what is under way. */
export function ServerStatus() {
  const status = useLoad('server status', (signal) => moorage('GetServerStatus', {}, signal));
  return (
    <Screen
      title={t('nav.serverStatus')}
      description={t('serverStatus.why')}
      actions={<Button iconName="refresh" ariaLabel={t('action.refresh')} loading={status.loading} onClick={status.reload} />}
    >
      <Part of={status} lines={12}>
        {(now) => (
          <SpaceBetween size="l">
            <Summary of={now} />
            <Container header={<Header variant="h2">{t('serverStatus.traffic')}</Header>}>
              <Suspense fallback={<Lines count={8} />}>
                <Traffic minutes={now.traffic} />
              </Suspense>
            </Container>
            <Disks disks={now.disks} />
            {(now.lastVerification?.findings ?? 0) > 0 && <VerificationFindings endedAt={now.lastVerification?.endedAt ?? 0} />}
            {now.migrations.length > 0 && <Migrations migrations={now.migrations} />}
          </SpaceBetween>
        )}
      </Part>
    </Screen>
  );
}

function Summary({ of: now }: { of: GetServerStatusResponse }) {
  return (
    <Container header={<Header variant="h2">{t('serverStatus.server')}</Header>}>
      <KeyValuePairs
        columns={4}
        items={[
          { label: t('serverStatus.version'), value: <Name>{now.version}</Name> },
          { label: t('serverStatus.node'), value: <Name>{now.node}</Name> },
          { label: t('serverStatus.started'), value: formatTime(now.startedAt) },
          { label: t('serverStatus.reading'), value: <Ready is={now.isReady} /> },
          { label: t('serverStatus.writing'), value: <Ready is={now.isReadyForWriting} /> },
          { label: t('serverStatus.replicationsWaiting'), value: formatNumber(now.replicationsWaiting) },
          { label: t('serverStatus.replicationsFailed'), value: <Failed count={now.replicationsFailed} /> },
          {
            label: t('serverStatus.lastVerification'),
            value: (
              <>
                <VerificationResult of={now.lastVerification} />
                {now.isVerificationInterrupted && <StatusIndicator type="warning">{t('serverStatus.resumable')}</StatusIndicator>}
              </>
            ),
          },
        ]}
      />
    </Container>
  );
}

function Ready({ is }: { is: boolean }) {
  return <StatusIndicator type={is ? 'success' : 'error'}>{is ? t('serverStatus.ready') : t('serverStatus.notReady')}</StatusIndicator>;
}

function Failed({ count }: { count: number }) {
  return <StatusIndicator type={count === 0 ? 'success' : 'error'}>{formatNumber(count)}</StatusIndicator>;
}

function Disks({ disks }: { disks: Disk[] }) {
  return (
    <Table
      items={disks}
      trackBy="content"
      ariaLabels={{ tableLabel: t('serverStatus.disks') }}
      header={<Header variant="h2">{t('serverStatus.disks')}</Header>}
      empty={t('state.none')}
      columnDefinitions={[
        { id: 'content', header: t('serverStatus.content'), isRowHeader: true, cell: ({ content }) => <Name>{nameOf('disk', content)}</Name> },
        {
          id: 'free',
          header: t('serverStatus.free'),
          cell: ({ freeBytes, reserveBytes }) => (
            <StatusIndicator type={freeBytes > reserveBytes ? 'success' : 'error'}>{formatSize(freeBytes)}</StatusIndicator>
          ),
        },
        { id: 'reserve', header: t('serverStatus.reserve'), cell: ({ reserveBytes }) => formatSize(reserveBytes) },
      ]}
    />
  );
}

function Migrations({ migrations }: { migrations: Migration[] }) {
  return (
    <Table
      items={migrations}
      trackBy="role"
      ariaLabels={{ tableLabel: t('serverStatus.migrations') }}
      header={<Header variant="h2">{t('serverStatus.migrations')}</Header>}
      columnDefinitions={[
        { id: 'role', header: t('serverStatus.role'), isRowHeader: true, cell: ({ role }) => nameOf('migration.role', role) },
        { id: 'state', header: t('image.status'), cell: ({ state }) => <Name>{nameOf('migration.state', state)}</Name> },
        { id: 'other', header: t('serverStatus.other'), cell: ({ other }) => <Name>{other}</Name> },
        { id: 'began', header: t('serverStatus.began'), cell: ({ beganAt }) => formatTime(beganAt) },
      ]}
    />
  );
}
