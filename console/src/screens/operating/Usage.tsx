import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Table from '@cloudscape-design/components/table';
import { useState } from 'react';

import { moorage } from '../../api/moorage';
import type { RepositoryUsage } from '../../api/operating';
import { ErrorNote } from '../../components/ErrorNote';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { usePages } from '../../components/usePages';
import { formatNumber, formatSize, t } from '../../messages';
import { ByteBar } from './ByteBar';
import { type Scope, ScopeChoice, useScope } from './ScopeChoice';
import { useUsageSums } from './usageSums';

const PAGE = 50;

const largestOf = (usages: { bytes: number }[]): number => Math.max(0, ...usages.map(({ bytes }) => bytes));

/** How much the repositories and accounts have. */
export function Usage() {
  const scope = useScope();
  const [attempt, setAttempt] = useState(0);
  const pages = usePages<RepositoryUsage>(`usage ${scope}`, async (nextToken, signal) => {
    const answer = await moorage('ListUsage', { scope, maxResults: PAGE, ...(nextToken === undefined ? {} : { nextToken }) }, signal);
    return { items: answer.repositories, nextToken: answer.nextToken };
  });
  const ofServer = scope === 'SERVER';
  const largest = largestOf(pages.data?.items ?? []);
  const refresh = () => {
    pages.reload();
    setAttempt(attempt + 1);
  };
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
              actions={pages.refused ? undefined : <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={refresh} />}
            >
              {t('usage.repositories')}
            </Header>
          }
        />
        {!pages.refused && <Accounts key={`${scope} ${attempt}`} scope={scope} />}
      </SpaceBetween>
    </Screen>
  );
}

/** The sums by account, of all repositories and not only of those on the page. */
function Accounts({ scope }: { scope: Scope }) {
  const sums = useUsageSums(scope);
  const largest = largestOf(sums.accounts);
  const count = sums.accounts.reduce((sum, { repositories }) => sum + repositories, 0);
  return (
    <Table
      items={sums.accounts}
      trackBy="registryId"
      ariaLabels={{ tableLabel: t('usage.accounts') }}
      loading={sums.pages === 0 && sums.loading}
      loadingText={t('state.loading')}
      empty={sums.error === undefined ? t('state.none') : undefined}
      footer={sums.error === undefined ? undefined : <ErrorNote error={sums.error} onRetry={sums.readMore} />}
      header={
        <Header
          variant="h2"
          description={sums.isWhole ? t('usage.whole', { count }) : t('usage.counting', { count })}
          actions={
            !sums.isWhole && (
              <Button loading={sums.loading} onClick={sums.readMore}>
                {t('usage.continue')}
              </Button>
            )
          }
        >
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
