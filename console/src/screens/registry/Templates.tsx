import Button from '@cloudscape-design/components/button';
import { useState } from 'react';

import { ecr } from '../../api/client';
import type { RepositoryCreationTemplate } from '../../api/ecr';
import { notify } from '../../app/notifications';
import { follow, href, navigate } from '../../app/router';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { ItemList } from '../../components/ItemList';
import { Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { usePages } from '../../components/usePages';
import { formatTime, nameOf, t } from '../../messages';

const PAGE = 25;
export const TEMPLATES = '/registry/creation-templates';

export function templatePath(prefix: string): string {
  return `${TEMPLATES}/-/edit/${encodeURIComponent(prefix)}`;
}

/** The settings of repositories that are created by a push, a pull or a replication. */
export function Templates() {
  const [template, select] = useState<RepositoryCreationTemplate>();
  const [asking, setAsking] = useState(false);
  const pages = usePages('creation templates', async (nextToken, signal) => {
    const token = nextToken === undefined ? {} : { nextToken };
    const answer = await ecr('DescribeRepositoryCreationTemplates', { maxResults: PAGE, ...token }, signal);
    return { items: answer.repositoryCreationTemplates ?? [], nextToken: answer.nextToken };
  });
  const prefix = template?.prefix ?? '';
  return (
    <ItemList
      title={t('nav.templates')}
      description={t('templates.why')}
      heading={t('templates.all')}
      nameOf={(one) => one.prefix ?? ''}
      pages={pages}
      selected={template}
      onSelect={select}
      empty={t('templates.none')}
      columns={[
        {
          id: 'prefix',
          header: t('templates.prefix'),
          isRowHeader: true,
          cell: (one) => (
            <NavLink to={templatePath(one.prefix ?? '')}>
              <Name>{one.prefix}</Name>
            </NavLink>
          ),
        },
        { id: 'description', header: t('templates.description'), cell: (one) => <Name>{one.description}</Name> },
        {
          id: 'applied',
          header: t('templates.appliedFor'),
          cell: (one) => (one.appliedFor ?? []).map((cause) => nameOf('appliedFor', cause)).join(', '),
        },
        { id: 'mutability', header: t('repository.mutability'), cell: (one) => nameOf('mutability', one.imageTagMutability) },
        { id: 'updated', header: t('templates.updated'), cell: (one) => formatTime(one.updatedAt) },
      ]}
      actions={
        <>
          <Button disabled={template === undefined} onClick={() => navigate(templatePath(prefix))}>
            {t('action.edit')}
          </Button>
          <Button disabled={template === undefined} onClick={() => setAsking(true)}>
            {t('action.delete')}
          </Button>
          <Button variant="primary" href={href(`${TEMPLATES}/-/create`)} onFollow={follow}>
            {t('templates.create')}
          </Button>
        </>
      }
    >
      {asking && (
        <ConfirmDialog
          title={t('templates.delete')}
          warning={t('templates.deleteWarning')}
          typed={prefix}
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            await ecr('DeleteRepositoryCreationTemplate', { prefix });
            notify('success', t('document.deleted', { name: prefix }));
            select(undefined);
            pages.reload();
          }}
        />
      )}
    </ItemList>
  );
}
