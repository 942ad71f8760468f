import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Table from '@cloudscape-design/components/table';
import { useState } from 'react';

import { moorage } from '../../api/moorage';
import type { AccountUsage, RepositoryUsage } from '../../api/operating';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { usePages } from '../../components/usePages';
import { formatNumber, formatSize, t } from '../../messages';
import { ByteBar } from './ByteBar';
import { ScopeChoice, useScope } from './ScopeChoice';

const PAGE = 50;

const largestOf = (usages: { bytes: number }[]): number => Math.max(0, ...usages.map(({ bytes }) => bytes));

/** How much the repositories and accounts have. */
export function Usage() {
  const scope = useScope();
  const [accounts, setAccounts] = useState<AccountUsage[]>([]);
  const pages = usePages<RepositoryUsage>(`usage ${scope}`, async (nextToken, signal) => {
    const answer = await moorage('ListUsage', { scope, maxResults: PAGE, ...(nextToken === undefined ? {} : { nextToken }) }, signal);
    setAccounts(answer.accounts);
    return { items: answer.repositories, nextToken: answer.nextToken };
  });
  const ofServer = scope === 'SERVER';
  const largest = largestOf(pages.data?.items ?? []);
  const isWhole = pages.known === 1;
  return (
    <Screen title={t('nav.usage')} description={t('usage.why')}>
      <SpaceBetween size="l">
        <PagedTable
          pages={pages}
          label={t('usage.repositories')}
          rows={8}
          trackBy={({ registryId, region, repositoryName }) => `${registryId} ${region} ${repositoryName}`}
          empty={t('repository.none')}
          filter={<ScopeChoice />}
          columns={[
            { id: 'name', header: t('repository.name'), isRowHeader: true, cell: ({ repositoryName }) => <Name>{repositoryName}</Name> },
            ...(ofServer
              ? [
                  { id: 'account', minWidth: 150, header: t('usage.account'), cell: ({ registryId }: RepositoryUsage) => <Name>{registryId}</Name> },
                  { id: 'region', minWidth: 130, header: t('usage.region'), cell: ({ region }: RepositoryUsage) => <Name>{region}</Name> },
                ]
              : []),
            { id: 'images', header: t('usage.images'), cell: ({ images }) => formatNumber(images) },
            { id: 'layers', header: t('usage.layers'), cell: ({ layers }) => formatNumber(layers) },
            { id: 'bytes', header: t('usage.size'), cell: ({ bytes }) => <ByteBar bytes={bytes} largest={largest} /> },
            ...(ofServer ? [{ id: 'own', header: t('usage.own'), cell: ({ ownBytes }: RepositoryUsage) => formatSize(ownBytes) }] : []),
          ]}
          header={
            <Header
              variant="h2"
              actions={pages.refused ? undefined : <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />}
            >
              {t('usage.repositories')}
            </Header>
          }
        />
        {pages.data !== undefined && <Accounts accounts={accounts} isWhole={isWhole} />}
      </SpaceBetween>
    </Screen>
  );
}

function Accounts({ accounts, isWhole }: { accounts: AccountUsage[]; isWhole: boolean }) {
  const largest = largestOf(accounts);
  return (
    <Table
      items={accounts}
      trackBy="registryId"
      ariaLabels={{ tableLabel: t('usage.accounts') }}
      empty={t('state.none')}
      header={
        <Header variant="h2" description={isWhole ? undefined : t('usage.ofThisPage')}>
          {t('usage.accounts')}
        </Header>
      }
      columnDefinitions={[
        { id: 'account', header: t('usage.account'), isRowHeader: true, cell: ({ registryId }) => <Name>{registryId}</Name> },
        { id: 'repositories', header: t('nav.repositories'), cell: ({ repositories }) => formatNumber(repositories) },
        { id: 'images', header: t('usage.images'), cell: ({ images }) => formatNumber(images) },
        { id: 'layers', header: t('usage.layers'), cell: ({ layers }) => formatNumber(layers) },
        { id: 'bytes', header: t('usage.size'), cell: ({ bytes }) => <ByteBar bytes={bytes} largest={largest} /> },
      ]}
    />
  );
}
