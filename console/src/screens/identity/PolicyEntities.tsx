import Header from '@cloudscape-design/components/header';

import { iam } from '../../api/iam';
import { Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { PagedTable } from '../../components/PagedTable';
import { usePages } from '../../components/usePages';
import { t } from '../../messages';
import { type Entity, entityPath, PAGE, pageOf } from './entity';

/** The users and roles that have a policy. */
export function PolicyEntities({ arn }: { arn: string }) {
  const pages = usePages<Entity>(`entities of ${arn}`, async (Marker, signal) => {
    const answer = await iam('ListEntitiesForPolicy', { PolicyArn: arn, MaxItems: PAGE, Marker }, signal);
    const users = (answer.PolicyUsers ?? []).map(({ UserName }): Entity => ({ kind: 'user', name: UserName }));
    const roles = (answer.PolicyRoles ?? []).map(({ RoleName }): Entity => ({ kind: 'role', name: RoleName }));
    return pageOf([...users, ...roles], answer);
  });
  return (
    <PagedTable
      pages={pages}
      label={t('policies.tab.attached')}
      rows={3}
      trackBy={(one) => entityPath(one)}
      empty={t('policies.unused')}
      columns={[
        {
          id: 'name',
          header: t('repository.name'),
          isRowHeader: true,
          cell: (one) => (
            <NavLink to={entityPath(one)}>
              <Name>{one.name}</Name>
            </NavLink>
          ),
        },
        { id: 'kind', header: t('image.type'), cell: (one) => t(`entity.${one.kind}`) },
      ]}
      header={<Header variant="h2">{t('policies.tab.attached')}</Header>}
    />
  );
}
