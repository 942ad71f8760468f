import Button from '@cloudscape-design/components/button';
import { useState } from 'react';

import { iam, type Role } from '../../api/iam';
import { follow, href } from '../../app/router';
import { ItemList } from '../../components/ItemList';
import { Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { DeleteEntity } from './DeleteEntity';
import { entityPath, PAGE, pageOf } from './entity';
import { ROLES } from './paths';

/** The roles of the account. */
export function Roles() {
  const [role, select] = useState<Role>();
  const [deleting, setDeleting] = useState(false);
  const pages = usePages<Role>('roles', async (Marker, signal) => {
    const answer = await iam('ListRoles', { MaxItems: PAGE, Marker }, signal);
    return pageOf(answer.Roles, answer);
  });
  return (
    <ItemList
      title={t('nav.roles')}
      description={t('roles.why')}
      heading={t('roles.all')}
      nameOf={(one) => one.RoleName}
      trackBy={(one) => one.Arn}
      pages={pages}
      selected={role}
      onSelect={select}
      empty={t('roles.none')}
      columns={[
        {
          id: 'name',
          header: t('repository.name'),
          isRowHeader: true,
          cell: (one) => (
            <NavLink to={entityPath({ kind: 'role', name: one.RoleName })}>
              <Name>{one.RoleName}</Name>
            </NavLink>
          ),
        },
        { id: 'description', header: t('templates.description'), cell: (one) => <Name>{one.Description ?? undefined}</Name> },
        { id: 'session', header: t('roles.session'), cell: (one) => t('roles.minutes', { count: one.MaxSessionDuration / 60 }) },
        { id: 'created', header: t('repository.created'), cell: (one) => formatTime(one.CreateDate) },
      ]}
      actions={
        <>
          <Button disabled={role === undefined} onClick={() => setDeleting(true)}>
            {t('action.delete')}
          </Button>
          <Button variant="primary" href={href(`${ROLES}/-/create`)} onFollow={follow}>
            {t('roles.create')}
          </Button>
        </>
      }
    >
      {deleting && role !== undefined && (
        <DeleteEntity
          entity={{ kind: 'role', name: role.RoleName }}
          onClose={() => setDeleting(false)}
          onDeleted={() => {
            select(undefined);
            pages.reload();
          }}
        />
      )}
    </ItemList>
  );
}
