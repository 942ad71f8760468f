import Button from '@cloudscape-design/components/button';
import { useState } from 'react';

import { iam, type User } from '../../api/iam';
import { notify } from '../../app/notifications';
import { navigate } from '../../app/router';
import { CopyText } from '../../components/CopyText';
import { ItemList } from '../../components/ItemList';
import { Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { CreateNamed } from './CreateNamed';
import { DeleteEntity } from './DeleteEntity';
import { entityPath, PAGE, pageOf } from './entity';
import { NAME } from './paths';

/** The users of the account. */
export function Users() {
  const [user, select] = useState<User>();
  const [dialog, setDialog] = useState<'create' | 'delete'>();
  const pages = usePages<User>('users', async (Marker, signal) => {
    const answer = await iam('ListUsers', { MaxItems: PAGE, Marker }, signal);
    return pageOf(answer.Users, answer);
  });
  const close = () => setDialog(undefined);
  return (
    <ItemList
      title={t('nav.users')}
      description={t('users.why')}
      heading={t('users.all')}
      nameOf={(one) => one.UserName}
      trackBy={(one) => one.Arn}
      pages={pages}
      selected={user}
      onSelect={select}
      empty={t('users.none')}
      columns={[
        {
          id: 'name',
          header: t('repository.name'),
          isRowHeader: true,
          cell: (one) => (
            <NavLink to={entityPath({ kind: 'user', name: one.UserName })}>
              <Name>{one.UserName}</Name>
            </NavLink>
          ),
        },
        { id: 'arn', header: t('repository.arn'), cell: (one) => <CopyText text={one.Arn} what={t('repository.arn')} /> },
        { id: 'created', header: t('repository.created'), cell: (one) => formatTime(one.CreateDate) },
      ]}
      actions={
        <>
          <Button disabled={user === undefined} onClick={() => setDialog('delete')}>
            {t('action.delete')}
          </Button>
          <Button variant="primary" onClick={() => setDialog('create')}>
            {t('users.create')}
          </Button>
        </>
      }
    >
      {dialog === 'create' && (
        <CreateNamed
          title={t('users.create')}
          rule={NAME}
          ruleText={t('identity.nameRule', { count: 64 })}
          onClose={close}
          onCreate={async (name) => {
            await iam('CreateUser', { UserName: name });
            notify('success', t('identity.created', { name }));
            navigate(entityPath({ kind: 'user', name }));
          }}
        />
      )}
      {dialog === 'delete' && user !== undefined && (
        <DeleteEntity
          entity={{ kind: 'user', name: user.UserName }}
          onClose={close}
          onDeleted={() => {
            select(undefined);
            pages.reload();
          }}
        />
      )}
    </ItemList>
  );
}
