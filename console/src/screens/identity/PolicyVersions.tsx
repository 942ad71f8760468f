import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { decoded, iam, type PolicyVersion } from '../../api/iam';
import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { ErrorNote } from '../../components/ErrorNote';
import { formatJson } from '../../components/json';
import { JsonEditor } from '../../components/JsonEditor';
import { PagedTable } from '../../components/PagedTable';
import { Part } from '../../components/Part';
import { useAction } from '../../components/useAction';
import { useLoad } from '../../components/useLoad';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { PAGE, pageOf } from './entity';

/** The versions of a policy, of which one applies. */
export function PolicyVersions({ arn, isOwn }: { arn: string; isOwn: boolean }) {
  const [selected, setSelected] = useState<PolicyVersion[]>([]);
  const [dialog, setDialog] = useState<'show' | 'delete'>();
  const action = useAction();
  const pages = usePages<PolicyVersion>(`versions of ${arn}`, async (Marker, signal) => {
    const answer = await iam('ListPolicyVersions', { PolicyArn: arn, MaxItems: PAGE, Marker }, signal);
    return pageOf(answer.Versions, answer);
  });
  const [version] = selected;
  const VersionId = version?.VersionId ?? '';
  const canChange = isOwn && version !== undefined && !version.IsDefaultVersion;
  const close = () => setDialog(undefined);
  const changed = (text: string) => {
    notify('success', text);
    setSelected([]);
    pages.reload();
  };
  const makeDefault = () =>
    action.run(async () => {
      await iam('SetDefaultPolicyVersion', { PolicyArn: arn, VersionId });
      changed(t('versions.nowDefault', { name: VersionId }));
    });
  return (
    <SpaceBetween size="m">
      <ErrorNote error={action.error} />
      <PagedTable
        pages={pages}
        label={t('policies.tab.versions')}
        rows={2}
        trackBy={(one) => one.VersionId}
        labelOf={(one) => one.VersionId}
        selectionType="single"
        selected={selected}
        onSelect={setSelected}
        empty={t('versions.none')}
        columns={[
          { id: 'id', header: t('versions.version'), isRowHeader: true, cell: (one) => one.VersionId },
          { id: 'default', header: t('image.status'), cell: (one) => (one.IsDefaultVersion ? t('versions.applies') : '–') },
          { id: 'created', header: t('repository.created'), cell: (one) => formatTime(one.CreateDate) },
        ]}
        header={
          <Header
            variant="h2"
            description={t('versions.why')}
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button disabled={version === undefined} onClick={() => setDialog('show')}>
                  {t('versions.show')}
                </Button>
                <Button disabled={!canChange} loading={action.busy} onClick={() => void makeDefault()}>
                  {t('versions.makeDefault')}
                </Button>
                <Button disabled={!canChange} onClick={() => setDialog('delete')}>
                  {t('action.delete')}
                </Button>
              </SpaceBetween>
            }
          >
            {t('policies.tab.versions')}
          </Header>
        }
      />
      {dialog === 'show' && <Shown arn={arn} id={VersionId} onClose={close} />}
      {dialog === 'delete' && (
        <ConfirmDialog
          title={t('versions.delete', { name: VersionId })}
          warning={t('versions.deleteWarning')}
          onClose={close}
          onConfirm={async () => {
            await iam('DeletePolicyVersion', { PolicyArn: arn, VersionId });
            changed(t('document.deleted', { name: VersionId }));
          }}
        />
      )}
    </SpaceBetween>
  );
}

function Shown({ arn, id, onClose }: { arn: string; id: string; onClose: () => void }) {
  const text = useLoad(`version ${id} of ${arn}`, async (signal) => {
    return decoded((await iam('GetPolicyVersion', { PolicyArn: arn, VersionId: id }, signal)).PolicyVersion.Document);
  });
  const footer = (
    <Box float="right">
      <Button onClick={onClose}>{t('action.close')}</Button>
    </Box>
  );
  return (
    <Modal visible size="large" header={id} onDismiss={onClose} footer={footer}>
      <Part of={text} lines={10}>
        {(data) => <JsonEditor label={t('policies.document')} value={formatJson(data)} readOnly />}
      </Part>
    </Modal>
  );
}
