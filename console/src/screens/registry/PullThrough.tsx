import Button from '@cloudscape-design/components/button';
import ButtonDropdown from '@cloudscape-design/components/button-dropdown';
import { useState } from 'react';

import { ecr } from '../../api/client';
import type { PullThroughCacheRule } from '../../api/ecr';
import { notify } from '../../app/notifications';
import { follow, href } from '../../app/router';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { errorText } from '../../components/ErrorNote';
import { ItemList } from '../../components/ItemList';
import { Name } from '../../components/Name';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { EditCredentials } from './EditCredentials';

const PAGE = 25;

/** The rules by which repositories are copies of repositories elsewhere. */
export function PullThrough() {
  const [rule, select] = useState<PullThroughCacheRule>();
  const [dialog, setDialog] = useState<'edit' | 'delete'>();
  const close = () => setDialog(undefined);
  const pages = usePages('pull-through cache rules', async (nextToken, signal) => {
    const token = nextToken === undefined ? {} : { nextToken };
    const answer = await ecr('DescribePullThroughCacheRules', { maxResults: PAGE, ...token }, signal);
    return { items: answer.pullThroughCacheRules ?? [], nextToken: answer.nextToken };
  });
  const prefix = rule?.ecrRepositoryPrefix ?? '';
  return (
    <ItemList
      title={t('nav.pullThrough')}
      description={t('pullThrough.why')}
      heading={t('pullThrough.rules')}
      nameOf={(one) => one.ecrRepositoryPrefix ?? ''}
      pages={pages}
      selected={rule}
      onSelect={select}
      empty={t('pullThrough.none')}
      columns={[
        { id: 'prefix', header: t('pullThrough.prefix'), isRowHeader: true, cell: (one) => <Name>{one.ecrRepositoryPrefix}</Name> },
        { id: 'upstream', header: t('pullThrough.upstream'), cell: (one) => <Name>{one.upstreamRegistryUrl}</Name> },
        { id: 'upstreamPrefix', header: t('pullThrough.upstreamPrefix'), cell: (one) => <Name>{one.upstreamRepositoryPrefix}</Name> },
        { id: 'credentials', header: t('pullThrough.credentials'), cell: (one) => <Name>{secretName(one.credentialArn)}</Name> },
        { id: 'created', header: t('repository.created'), cell: (one) => formatTime(one.createdAt) },
      ]}
      actions={
        <>
          <Button disabled={rule === undefined} onClick={() => void validate(prefix)}>
            {t('pullThrough.validate')}
          </Button>
          <ButtonDropdown
            disabled={rule === undefined}
            items={[
              { id: 'edit', text: t('pullThrough.editCredentials') },
              { id: 'delete', text: t('action.delete') },
            ]}
            onItemClick={(event) => setDialog(event.detail.id === 'edit' ? 'edit' : 'delete')}
          >
            {t('action.actions')}
          </ButtonDropdown>
          <Button variant="primary" href={href('/registry/pull-through-cache/create')} onFollow={follow}>
            {t('pullThrough.add')}
          </Button>
        </>
      }
    >
      {dialog === 'edit' && rule !== undefined && <EditCredentials rule={rule} onClose={close} onSaved={pages.reload} />}
      {dialog === 'delete' && (
        <ConfirmDialog
          title={t('pullThrough.delete')}
          warning={t('pullThrough.deleteWarning')}
          typed={prefix}
          onClose={close}
          onConfirm={async () => {
            await ecr('DeletePullThroughCacheRule', { ecrRepositoryPrefix: prefix });
            notify('success', t('document.deleted', { name: prefix }));
            select(undefined);
            pages.reload();
          }}
        />
      )}
    </ItemList>
  );
}

/** Ask the server whether a rule works: whether it reaches the upstream registry with these credentials. */
async function validate(ecrRepositoryPrefix: string): Promise<void> {
  try {
    const { isValid, failure } = await ecr('ValidatePullThroughCacheRule', { ecrRepositoryPrefix });
    if (isValid === true) notify('success', t('pullThrough.valid', { name: ecrRepositoryPrefix }));
    else notify('error', t('pullThrough.invalid', { name: ecrRepositoryPrefix, reason: failure ?? '' }));
  } catch (error) {
    notify('error', errorText(error));
  }
}

/** The name of a secret from its ARN. */
function secretName(arn: string | undefined): string {
  return arn === undefined ? '–' : (arn.split(':secret:')[1] ?? arn);
}
