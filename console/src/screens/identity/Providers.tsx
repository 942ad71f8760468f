import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import Modal from '@cloudscape-design/components/modal';
import { useState } from 'react';

import { iam } from '../../api/iam';
import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { CopyText } from '../../components/CopyText';
import { ItemList } from '../../components/ItemList';
import { Name } from '../../components/Name';
import { SettingsForm } from '../../components/SettingsForm';
import { TokenInput } from '../../components/TokenInput';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { useEach } from '../../components/useEach';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { PAGE } from './entity';

const URL_RULE = /^https:\/\/[^\s?#]+$/;
const URL_EXAMPLE = 'https://token.actions.githubusercontent.com';
const AUDIENCE_EXAMPLE = 'sts.amazonaws.com';
const MOST_AUDIENCES = 100;

interface Row {
  arn: string;
}

/** The name of a provider: its address without `https://`. Rows that load have no ARN yet. */
function nameOfProvider(arn = ''): string {
  return arn.slice(arn.indexOf('/') + 1);
}

/** The issuers whose tokens can start sessions of roles. IAM lists their ARNs as a whole; details are for those shown. */
export function Providers() {
  const [provider, select] = useState<Row>();
  const [dialog, setDialog] = useState<'create' | 'delete'>();
  const pages = usePages<Row>('OpenID Connect providers', async (token, signal) => {
    const { OpenIDConnectProviderList: all } = await iam('ListOpenIDConnectProviders', {}, signal);
    const end = Number(token ?? 0) + PAGE;
    const items = all.slice(end - PAGE, end).map(({ Arn }) => ({ arn: Arn }));
    return { items, nextToken: end < all.length ? String(end) : undefined };
  });
  const details = useEach(
    (pages.data?.items ?? []).map(({ arn }) => arn),
    (arn, signal) => iam('GetOpenIDConnectProvider', { OpenIDConnectProviderArn: arn }, signal),
  );
  const close = () => setDialog(undefined);
  return (
    <ItemList
      title={t('nav.providers')}
      description={t('providers.why')}
      heading={t('providers.all')}
      nameOf={({ arn }) => nameOfProvider(arn)}
      trackBy={({ arn }) => arn}
      pages={pages}
      rows={3}
      selected={provider}
      onSelect={select}
      empty={t('providers.none')}
      columns={[
        { id: 'name', header: t('providers.issuer'), isRowHeader: true, cell: ({ arn }) => <Name>{nameOfProvider(arn)}</Name> },
        { id: 'arn', header: t('repository.arn'), cell: ({ arn }) => <CopyText text={arn} what={t('repository.arn')} /> },
        {
          id: 'audiences',
          header: t('providers.audiences'),
          cell: ({ arn }) => <Name>{details.get(arn)?.ClientIDList.join(', ')}</Name>,
        },
        { id: 'created', header: t('repository.created'), cell: ({ arn }) => formatTime(details.get(arn)?.CreateDate) },
      ]}
      actions={
        <>
          <Button disabled={provider === undefined} onClick={() => setDialog('delete')}>
            {t('action.delete')}
          </Button>
          <Button variant="primary" onClick={() => setDialog('create')}>
            {t('providers.create')}
          </Button>
        </>
      }
    >
      {dialog === 'create' && <CreateDialog onClose={close} onCreated={pages.reload} />}
      {dialog === 'delete' && provider !== undefined && (
        <ConfirmDialog
          title={t('providers.delete')}
          warning={t('providers.deleteWarning')}
          typed={nameOfProvider(provider.arn)}
          onClose={close}
          onConfirm={async () => {
            await iam('DeleteOpenIDConnectProvider', { OpenIDConnectProviderArn: provider.arn });
            notify('success', t('document.deleted', { name: nameOfProvider(provider.arn) }));
            select(undefined);
            pages.reload();
          }}
        />
      )}
    </ItemList>
  );
}

function CreateDialog({ onClose, onCreated }: { onClose: () => void; onCreated: () => void }) {
  const [draft, setDraft, forget] = useDraft('create', { url: '', audiences: [] as string[] });
  const action = useAction();
  const wrong = draft.url !== '' && !URL_RULE.test(draft.url);
  const create = async () => {
    const done = await action.run(async () => {
      await iam('CreateOpenIDConnectProvider', { Url: draft.url, ClientIDList: draft.audiences });
    });
    if (!done) return;
    forget();
    notify('success', t('identity.created', { name: draft.url }));
    onCreated();
    onClose();
  };
  return (
    <Modal visible header={t('providers.create')} onDismiss={onClose}>
      <SettingsForm
        action={action}
        submitText={t('action.create')}
        disabled={draft.url === '' || wrong || draft.audiences.length === 0}
        onSubmit={() => void create()}
        onCancel={onClose}
      >
        <FormField
          label={t('providers.issuer')}
          description={t('providers.keys')}
          constraintText={t('providers.issuerRule')}
          errorText={wrong ? t('providers.issuerRule') : undefined}
        >
          <Input
            value={draft.url}
            placeholder={URL_EXAMPLE}
            spellcheck={false}
            onChange={(event) => setDraft({ ...draft, url: event.detail.value.trim() })}
          />
        </FormField>
        <TokenInput
          label={t('providers.audiences')}
          constraint={t('providers.audiencesRule')}
          errorText={t('providers.audienceWrong')}
          placeholder={AUDIENCE_EXAMPLE}
          values={draft.audiences}
          most={MOST_AUDIENCES}
          isValid={(text) => text.length <= 255 && !/\s/.test(text)}
          onChange={(audiences) => setDraft({ ...draft, audiences })}
        />
      </SettingsForm>
    </Modal>
  );
}
