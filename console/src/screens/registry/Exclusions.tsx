import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { ecr } from '../../api/client';
import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { SettingsForm } from '../../components/SettingsForm';
import { useAction } from '../../components/useAction';
import { usePages } from '../../components/usePages';
import { t } from '../../messages';

const ARN = /^arn:aws(-[a-z]+)*:iam::\d{12}:(role|user)\/[\w+=,.@/-]+$/;
const EXAMPLE = 'arn:aws:iam::000000000000:role/scanner';

interface Exclusion {
  arn: string;
}

/** The principals whose pulls do not count: what they pull stays as old as it was. */
export function Exclusions() {
  const [selected, setSelected] = useState<Exclusion[]>([]);
  const [dialog, setDialog] = useState<'add' | 'remove'>();
  const close = () => setDialog(undefined);
  const pages = usePages<Exclusion>('pull-time exclusions', async (nextToken, signal) => {
    const token = nextToken === undefined ? {} : { nextToken };
    const answer = await ecr('ListPullTimeUpdateExclusions', { maxResults: 50, ...token }, signal);
    return { items: (answer.pullTimeUpdateExclusions ?? []).map((arn) => ({ arn })), nextToken: answer.nextToken };
  });
  const [first] = selected;
  return (
    <Screen title={t('nav.exclusions')} description={t('exclusions.why')}>
      <PagedTable
        pages={pages}
        label={t('nav.exclusions')}
        trackBy={({ arn }) => arn}
        labelOf={({ arn }) => arn}
        selectionType="single"
        selected={selected}
        onSelect={setSelected}
        empty={t('exclusions.none')}
        columns={[{ id: 'arn', header: t('exclusions.principal'), isRowHeader: true, cell: ({ arn }) => <Name>{arn}</Name> }]}
        header={
          <Header
            variant="h2"
            actions={
              pages.refused ? undefined : (
                <SpaceBetween direction="horizontal" size="xs">
                  <Button disabled={first === undefined} onClick={() => setDialog('remove')}>
                    {t('action.remove')}
                  </Button>
                  <Button variant="primary" onClick={() => setDialog('add')}>
                    {t('action.add')}
                  </Button>
                </SpaceBetween>
              )
            }
          >
            {t('exclusions.principals')}
          </Header>
        }
      />
      {dialog === 'add' && <AddDialog onClose={close} onAdded={pages.reload} />}
      {dialog === 'remove' && first !== undefined && (
        <ConfirmDialog
          title={t('exclusions.remove')}
          warning={t('exclusions.removeWarning')}
          button={t('action.remove')}
          onClose={close}
          onConfirm={async () => {
            await ecr('DeregisterPullTimeUpdateExclusion', { principalArn: first.arn });
            notify('success', t('document.deleted', { name: first.arn }));
            setSelected([]);
            pages.reload();
          }}
        >
          <Name>{first.arn}</Name>
        </ConfirmDialog>
      )}
    </Screen>
  );
}

function AddDialog({ onClose, onAdded }: { onClose: () => void; onAdded: () => void }) {
  const [arn, setArn] = useState('');
  const action = useAction();
  const wrong = arn !== '' && !ARN.test(arn);
  const add = async () => {
    const done = await action.run(async () => {
      await ecr('RegisterPullTimeUpdateExclusion', { principalArn: arn });
    });
    if (!done) return;
    notify('success', t('document.saved', { name: arn }));
    onAdded();
    onClose();
  };
  return (
    <Modal visible header={t('exclusions.add')} onDismiss={onClose}>
      <SettingsForm
        action={action}
        submitText={t('action.add')}
        disabled={arn === '' || wrong}
        onSubmit={() => void add()}
        onCancel={onClose}
      >
        <Box>{t('exclusions.why')}</Box>
        <FormField label={t('exclusions.principal')} errorText={wrong ? t('exclusions.wrong') : undefined}>
          <Input value={arn} placeholder={EXAMPLE} spellcheck={false} onChange={(event) => setArn(event.detail.value.trim())} />
        </FormField>
      </SettingsForm>
    </Modal>
  );
}
