import Button from '@cloudscape-design/components/button';
import ButtonDropdown from '@cloudscape-design/components/button-dropdown';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { TableProps } from '@cloudscape-design/components/table';
import TextFilter from '@cloudscape-design/components/text-filter';
import { Suspense, useState } from 'react';

import type { Repository } from '../../api/ecr';
import { follow, href, navigate, repositoryPath, setQuery, usePlace } from '../../app/router';
import { CopyText } from '../../components/CopyText';
import { Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { usePages } from '../../components/usePages';
import { formatTime, nameOf, t } from '../../messages';
import { DeleteRepositories, PushCommands } from './dialogs';
import { type RepositoryOrder, repositoryPage } from './repositoryPages';

function columns(): TableProps.ColumnDefinition<Repository>[] {
  return [
    {
      id: 'NAME',
      header: t('repository.name'),
      sortingField: 'NAME',
      isRowHeader: true,
      cell: ({ repositoryName = '' }) => (
        <NavLink to={repositoryPath(repositoryName)}>
          <Name>{repositoryName}</Name>
        </NavLink>
      ),
    },
    {
      id: 'uri',
      header: t('repository.uri'),
      cell: ({ repositoryUri }) => <CopyText text={repositoryUri} what={t('repository.uri')} />,
    },
    { id: 'CREATED', minWidth: 130, header: t('repository.created'), sortingField: 'CREATED', cell: ({ createdAt }) => formatTime(createdAt) },
    {
      id: 'mutability',
      minWidth: 160,
      header: t('repository.mutability'),
      cell: ({ imageTagMutability }) => nameOf('mutability', imageTagMutability),
    },
    {
      id: 'encryption',
      minWidth: 140,
      header: t('repository.encryption'),
      cell: ({ encryptionConfiguration }) => nameOf('encryption', encryptionConfiguration?.encryptionType),
    },
  ];
}

/** The repositories of the account. The server pages, sorts and searches, so any number of them is shown as quickly. */
export function Repositories() {
  const { query } = usePlace();
  const order: RepositoryOrder = {
    prefix: query.get('prefix') ?? '',
    sortBy: query.get('sort') === 'CREATED' ? 'CREATED' : 'NAME',
    descending: query.get('order') === 'desc',
  };
  const [typed, setTyped] = useState(order.prefix);
  const [selected, setSelected] = useState<Repository[]>([]);
  const [dialog, setDialog] = useState<'push' | 'delete'>();
  const pages = usePages(`repositories ${JSON.stringify(order)}`, (token, signal) => repositoryPage(order, token, signal));
  const [first] = selected;
  const list = columns();
  return (
    <Screen title={t('nav.repositories')}>
      <PagedTable
        pages={pages}
        columns={list}
        label={t('nav.repositories')}
        rows={10}
        trackBy={(item) => item.repositoryName ?? ''}
        labelOf={(item) => item.repositoryName ?? ''}
        selectionType="multi"
        selected={selected}
        onSelect={setSelected}
        sortingColumn={list.find(({ id }) => id === order.sortBy) ?? {}}
        sortingDescending={order.descending}
        onSort={({ sortingColumn, isDescending }) => {
          setQuery({ sort: sortingColumn.sortingField === 'CREATED' ? 'CREATED' : undefined, order: isDescending === true ? 'desc' : undefined });
        }}
        empty={order.prefix === '' ? t('repository.none') : t('repository.noneFound')}
        filter={
          <TextFilter
            filteringText={typed}
            filteringPlaceholder={t('repository.search')}
            filteringAriaLabel={t('repository.search')}
            onChange={(event) => setTyped(event.detail.filteringText)}
            onDelayedChange={(event) => setQuery({ prefix: event.detail.filteringText.trim() })}
          />
        }
        header={
          <Header
            variant="h2"
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />
                <Button disabled={selected.length !== 1} onClick={() => setDialog('push')}>
                  {t('push.view')}
                </Button>
                <ButtonDropdown
                  disabled={first === undefined}
                  items={[
                    { id: 'edit', text: t('action.edit'), disabled: selected.length !== 1 },
                    { id: 'delete', text: t('action.delete') },
                  ]}
                  onItemClick={(event) => {
                    if (event.detail.id === 'delete') setDialog('delete');
                    else navigate(repositoryPath(first?.repositoryName ?? '', 'edit'));
                  }}
                >
                  {t('action.actions')}
                </ButtonDropdown>
                <Button variant="primary" href={href('/repositories/-/create')} onFollow={follow}>
                  {t('repository.create')}
                </Button>
              </SpaceBetween>
            }
          >
            {t('repository.private')}
          </Header>
        }
      />
      <Suspense fallback={null}>
        {dialog === 'push' && first !== undefined && <PushCommands repository={first} onClose={() => setDialog(undefined)} />}
        {dialog === 'delete' && (
          <DeleteRepositories
            names={selected.map(({ repositoryName = '' }) => repositoryName)}
            onClose={() => setDialog(undefined)}
            onDeleted={() => {
              setSelected([]);
              pages.reload();
            }}
          />
        )}
      </Suspense>
    </Screen>
  );
}
