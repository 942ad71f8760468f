import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { cancelSigningProfile, createSigningProfile, type SigningProfile, signingProfiles } from '../../api/signer';
import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { CopyText } from '../../components/CopyText';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { SettingsForm } from '../../components/SettingsForm';
import { useAction } from '../../components/useAction';
import { usePages } from '../../components/usePages';
import { nameOf, t } from '../../messages';

const NAME = /^\w{2,64}$/;
const MOST_MONTHS = 135;

/** The profiles that can sign images of this account. */
export function SigningProfiles() {
  const [selected, setSelected] = useState<SigningProfile[]>([]);
  const [dialog, setDialog] = useState<'create' | 'cancel'>();
  const close = () => setDialog(undefined);
  const pages = usePages<SigningProfile>('signing profiles', async (token, signal) => {
    const answer = await signingProfiles(token, signal);
    return { items: answer.profiles ?? [], nextToken: answer.nextToken };
  });
  const [profile] = selected;
  const name = profile?.profileName ?? '';
  return (
    <>
      <PagedTable
        pages={pages}
        label={t('signing.profiles')}
        trackBy={({ arn, profileName }) => arn ?? profileName ?? ''}
        labelOf={({ profileName }) => profileName ?? ''}
        selectionType="single"
        selected={selected}
        onSelect={setSelected}
        empty={t('signing.noProfiles')}
        columns={[
          { id: 'name', header: t('repository.name'), isRowHeader: true, cell: (one) => <Name>{one.profileName}</Name> },
          { id: 'arn', header: t('repository.arn'), cell: (one) => <CopyText text={one.arn} what={t('repository.arn')} /> },
          { id: 'validity', header: t('signing.validity'), cell: validity },
          { id: 'status', header: t('image.status'), cell: (one) => nameOf('profile', one.status) },
        ]}
        header={
          <Header
            variant="h2"
            actions={
              pages.refused ? undefined : (
                <SpaceBetween direction="horizontal" size="xs">
                  <Button disabled={profile === undefined} onClick={() => setDialog('cancel')}>
                    {t('signing.cancel')}
                  </Button>
                  <Button onClick={() => setDialog('create')}>{t('signing.create')}</Button>
                </SpaceBetween>
              )
            }
          >
            {t('signing.profiles')}
          </Header>
        }
      />
      {dialog === 'create' && <CreateDialog onClose={close} onCreated={pages.reload} />}
      {dialog === 'cancel' && profile !== undefined && (
        <ConfirmDialog
          title={t('signing.cancel')}
          warning={t('signing.cancelWarning')}
          typed={name}
          button={t('signing.cancel')}
          onClose={close}
          onConfirm={async () => {
            await cancelSigningProfile(name);
            setSelected([]);
            pages.reload();
          }}
        />
      )}
    </>
  );
}

function validity({ signatureValidityPeriod }: SigningProfile): string {
  const { value, type } = signatureValidityPeriod ?? {};
  return value === undefined ? '–' : `${value} ${nameOf('period', type)}`;
}

function CreateDialog({ onClose, onCreated }: { onClose: () => void; onCreated: () => void }) {
  const [name, setName] = useState('');
  const [months, setMonths] = useState(String(MOST_MONTHS));
  const action = useAction();
  const isValid = NAME.test(name) && Number(months) >= 1 && Number(months) <= MOST_MONTHS;
  const create = async () => {
    if (!(await action.run(() => createSigningProfile(name, Number(months))))) return;
    notify('success', t('document.saved', { name }));
    onCreated();
    onClose();
  };
  return (
    <Modal visible header={t('signing.create')} onDismiss={onClose}>
      <SettingsForm action={action} submitText={t('action.create')} disabled={!isValid} onSubmit={() => void create()} onCancel={onClose}>
        <FormField label={t('repository.name')} constraintText={t('signing.nameRule')}>
          <Input value={name} spellcheck={false} onChange={(event) => setName(event.detail.value.trim())} />
        </FormField>
        <FormField label={t('signing.months')} constraintText={t('signing.monthsRule', { count: MOST_MONTHS })}>
          <Input type="number" value={months} onChange={(event) => setMonths(event.detail.value)} />
        </FormField>
      </SettingsForm>
    </Modal>
  );
}
