import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useState } from 'react';

import { iam, type Key, type NewKey } from '../../api/iam';
import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { CopyText } from '../../components/CopyText';
import { ErrorNote } from '../../components/ErrorNote';
import { PagedTable } from '../../components/PagedTable';
import { useAction } from '../../components/useAction';
import { useEach } from '../../components/useEach';
import { usePages } from '../../components/usePages';
import { formatTime, nameOf, t } from '../../messages';
import { keysOf } from './entity';

const LIMIT = 2;

/** The access keys of a user. The secret of a new one is shown once and kept nowhere. */
export function Keys({ user }: { user: string }) {
  const [selected, setSelected] = useState<Key[]>([]);
  const [made, setMade] = useState<NewKey>();
  const [dialog, setDialog] = useState<'deactivate' | 'delete'>();
  const action = useAction();
  const pages = usePages<Key>(`keys of ${user}`, async (_, signal) => ({ items: await keysOf(user, signal) }));
  const keys = pages.data?.items ?? [];
  const used = useEach(
    keys.map((key) => key.AccessKeyId),
    async (AccessKeyId, signal) => (await iam('GetAccessKeyLastUsed', { AccessKeyId }, signal)).AccessKeyLastUsed,
  );
  // The row as it was read last: its status changes while it stays selected.
  const key = keys.find((one) => one.AccessKeyId === selected[0]?.AccessKeyId);
  const changed = (text: string) => {
    notify('success', text);
    pages.reload();
  };
  const create = () =>
    action.run(async () => {
      setMade((await iam('CreateAccessKey', { UserName: user })).AccessKey);
      pages.reload();
    });
  const setStatus = async (AccessKeyId: string, Status: Key['Status']) => {
    await iam('UpdateAccessKey', { UserName: user, AccessKeyId, Status });
    changed(t('document.saved', { name: AccessKeyId }));
  };
  const close = () => setDialog(undefined);
  return (
    <SpaceBetween size="m">
      <ErrorNote error={action.error} />
      <PagedTable
        pages={pages}
        label={t('keys.all')}
        rows={LIMIT}
        trackBy={(one) => one.AccessKeyId}
        labelOf={(one) => one.AccessKeyId}
        selectionType="single"
        selected={key === undefined ? [] : [key]}
        onSelect={setSelected}
        empty={t('keys.none')}
        columns={[
          {
            id: 'id',
            header: t('signIn.accessKeyId'),
            isRowHeader: true,
            cell: (one) => <CopyText text={one.AccessKeyId} what={t('signIn.accessKeyId')} />,
          },
          {
            id: 'status',
            header: t('image.status'),
            cell: (one) => (
              <StatusIndicator type={one.Status === 'Active' ? 'success' : 'stopped'}>{nameOf('keys.status', one.Status)}</StatusIndicator>
            ),
          },
          { id: 'created', header: t('repository.created'), cell: (one) => formatTime(one.CreateDate) },
          { id: 'used', header: t('keys.lastUsed'), cell: (one) => lastUsed(used.get(one.AccessKeyId)) },
        ]}
        header={
          <Header
            variant="h2"
            description={t('keys.why', { count: LIMIT })}
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                {key?.Status === 'Inactive' ? (
                  <Button onClick={() => void action.run(() => setStatus(key.AccessKeyId, 'Active'))}>{t('keys.activate')}</Button>
                ) : (
                  <Button disabled={key === undefined} onClick={() => setDialog('deactivate')}>
                    {t('keys.deactivate')}
                  </Button>
                )}
                <Button disabled={key === undefined} onClick={() => setDialog('delete')}>
                  {t('action.delete')}
                </Button>
                <Button
                  variant="primary"
                  disabled={pages.data === undefined || keys.length >= LIMIT}
                  loading={action.busy}
                  onClick={() => void create()}
                >
                  {t('keys.create')}
                </Button>
              </SpaceBetween>
            }
          >
            {t('keys.all')}
          </Header>
        }
      />
      {made !== undefined && <Secret made={made} onClose={() => setMade(undefined)} />}
      {dialog === 'deactivate' && key !== undefined && (
        <ConfirmDialog
          title={t('keys.deactivate')}
          warning={t('keys.deactivateWarning')}
          button={t('keys.deactivate')}
          onClose={close}
          onConfirm={() => setStatus(key.AccessKeyId, 'Inactive')}
        />
      )}
      {dialog === 'delete' && key !== undefined && (
        <ConfirmDialog
          title={t('keys.delete')}
          warning={t('keys.deleteWarning')}
          typed={key.AccessKeyId}
          onClose={close}
          onConfirm={async () => {
            await iam('DeleteAccessKey', { UserName: user, AccessKeyId: key.AccessKeyId });
            changed(t('document.deleted', { name: key.AccessKeyId }));
          }}
        />
      )}
    </SpaceBetween>
  );
}

/** `undefined` while it loads, `null` if it could not be loaded. */
function lastUsed(used: { LastUsedDate?: number } | null | undefined): string {
  if (used === undefined) return t('state.loading');
  if (used === null) return '–';
  return used.LastUsedDate === undefined ? t('keys.neverUsed') : formatTime(used.LastUsedDate);
}

function Secret({ made, onClose }: { made: NewKey; onClose: () => void }) {
  return (
    <Modal
      visible
      header={t('keys.created')}
      onDismiss={onClose}
      footer={
        <Box float="right">
          <Button variant="primary" onClick={onClose}>
            {t('keys.done')}
          </Button>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <Alert type="warning">{t('keys.once')}</Alert>
        <KeyValuePairs
          columns={1}
          items={[
            { label: t('signIn.accessKeyId'), value: <CopyText text={made.AccessKeyId} what={t('signIn.accessKeyId')} /> },
            {
              label: t('signIn.secretAccessKey'),
              value: <CopyText text={made.SecretAccessKey} what={t('signIn.secretAccessKey')} />,
            },
          ]}
        />
      </SpaceBetween>
    </Modal>
  );
}
