import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { iam, type User } from '../../api/iam';
import { notify } from '../../app/notifications';
import { navigate } from '../../app/router';
import { CopyText } from '../../components/CopyText';
import { Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { PagedTable } from '../../components/PagedTable';
import { Screen } from '../../components/Screen';
import { usePages } from '../../components/usePages';
import { formatTime, t } from '../../messages';
import { CreateNamed } from './CreateNamed';
import { DeleteEntity } from './DeleteEntity';
import { entityPath, PAGE, pageOf } from './entity';
import { NAME } from './paths';

/** The users of the account. */
export function Users() {
  const [selected, setSelected] = useState<User[]>([]);
  const [dialog, setDialog] = useState<'create' | 'delete'>();
  const pages = usePages<User>('users', async (Marker, signal) => {
    const answer = await iam('ListUsers', { MaxItems: PAGE, Marker }, signal);
    return pageOf(answer.Users, answer);
  });
  const [user] = selected;
  const close = () => setDialog(undefined);
  return (
    <Screen title={t('nav.users')} description={t('users.why')}>
      <PagedTable
        pages={pages}
        label={t('nav.users')}
        trackBy={(one) => one.Arn}
        labelOf={(one) => one.UserName}
        selectionType="single"
        selected={selected}
        onSelect={setSelected}
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
        header={
          <Header
            variant="h2"
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />
                <Button disabled={user === undefined} onClick={() => setDialog('delete')}>
                  {t('action.delete')}
                </Button>
                <Button variant="primary" onClick={() => setDialog('create')}>
                  {t('users.create')}
                </Button>
              </SpaceBetween>
            }
          >
            {t('users.all')}
          </Header>
        }
      />
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
            setSelected([]);
            pages.reload();
          }}
        />
      )}
    </Screen>
  );
}
