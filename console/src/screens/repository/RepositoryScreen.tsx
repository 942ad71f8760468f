import Button from '@cloudscape-design/components/button';
import ButtonDropdown from '@cloudscape-design/components/button-dropdown';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tabs from '@cloudscape-design/components/tabs';
import { type ReactNode, Suspense, useState } from 'react';

import type { Repository } from '../../api/ecr';
import { follow, href, navigate, repositoryPath } from '../../app/router';
import { ErrorNote } from '../../components/ErrorNote';
import { Screen } from '../../components/Screen';
import { useLoad } from '../../components/useLoad';
import { t } from '../../messages';
import { DeleteRepositories, PushCommands } from '../repositories/dialogs';
import { readRepository } from './readRepository';

export type RepositoryTab = 'images' | 'deleted' | 'summary' | 'permissions' | 'lifecycle' | 'tags';

const TABS: RepositoryTab[] = ['images', 'deleted', 'summary', 'permissions', 'lifecycle', 'tags'];

interface RepositoryScreenProps {
  name: string;
  tab: RepositoryTab;
  /** The content of the tab. It does not wait for the repository, except where it needs it. */
  children: (repository: Repository | undefined) => ReactNode;
}

/** The frame of one repository: its name, its actions, and the tabs, which have addresses of their own. */
export function RepositoryScreen({ name, tab, children }: RepositoryScreenProps) {
  const repository = useLoad(`repository ${name}`, (signal) => readRepository(name, signal));
  const [dialog, setDialog] = useState<'push' | 'delete'>();
  const close = () => setDialog(undefined);
  return (
    <Screen
      title={name}
      actions={
        <SpaceBetween direction="horizontal" size="xs">
          <Button disabled={repository.data === undefined} onClick={() => setDialog('push')}>
            {t('push.view')}
          </Button>
          <ButtonDropdown
            items={[
              { id: 'edit', text: t('action.edit'), href: href(repositoryPath(name, 'edit')) },
              { id: 'delete', text: t('action.delete') },
            ]}
            onItemFollow={follow}
            onItemClick={(event) => {
              if (event.detail.id === 'delete') setDialog('delete');
            }}
          >
            {t('action.actions')}
          </ButtonDropdown>
        </SpaceBetween>
      }
    >
      <SpaceBetween size="l">
        {repository.error !== undefined && !repository.loading && (
          <ErrorNote error={repository.error} onRetry={repository.reload} />
        )}
        <Tabs
          activeTabId={tab}
          ariaLabel={t('repository.parts')}
          onChange={(event) => {
            navigate(pathOf(name, event.detail.activeTabId as RepositoryTab));
          }}
          tabs={TABS.map((id) => ({
            id,
            label: t(`repository.tab.${id}`),
            href: href(pathOf(name, id)),
            content: id === tab ? children(repository.data) : null,
          }))}
        />
      </SpaceBetween>
      <Suspense fallback={null}>
        {dialog === 'push' && repository.data !== undefined && <PushCommands repository={repository.data} onClose={close} />}
        {dialog === 'delete' && (
          <DeleteRepositories names={[name]} onClose={close} onDeleted={() => navigate('/repositories')} />
        )}
      </Suspense>
    </Screen>
  );
}

function pathOf(name: string, tab: RepositoryTab): string {
  return tab === 'images' ? repositoryPath(name) : repositoryPath(name, tab);
}
