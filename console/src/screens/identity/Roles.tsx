import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { iam, type Role } from '../../api/iam';
import { follow, href } from '../../app/router';
import { Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { DeleteEntity } from './DeleteEntity';
import { entityPath, PAGE, pageOf } from './entity';
import { ROLES } from './paths';

/** The roles of the account. */
export function Roles() {
  const [selected, setSelected] = useState<Role[]>([]);
  const [deleting, setDeleting] = useState(false);
  const pages = usePages<Role>('roles', async (Marker, signal) => {
    const answer = await iam('ListRoles', { MaxItems: PAGE, Marker }, signal);
    return pageOf(answer.Roles, answer);
  });
  const [role] = selected;
  return (
    <Screen title={t('nav.roles')} description={t('roles.why')}>
      <PagedTable
        pages={pages}
        label={t('nav.roles')}
        trackBy={(one) => one.Arn}
        labelOf={(one) => one.RoleName}
        selectionType="single"
        selected={selected}
        onSelect={setSelected}
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
        header={
          <Header
            variant="h2"
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />
                <Button disabled={role === undefined} onClick={() => setDeleting(true)}>
                  {t('action.delete')}
                </Button>
                <Button variant="primary" href={href(`${ROLES}/-/create`)} onFollow={follow}>
                  {t('roles.create')}
                </Button>
              </SpaceBetween>
            }
          >
            {t('roles.all')}
          </Header>
        }
      />
      {deleting && role !== undefined && (
        <DeleteEntity
          entity={{ kind: 'role', name: role.RoleName }}
          onClose={() => setDeleting(false)}
          onDeleted={() => {
            setSelected([]);
            pages.reload();
          }}
        />
      )}
    </Screen>
  );
}
