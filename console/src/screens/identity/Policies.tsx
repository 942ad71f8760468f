import Button from '@cloudscape-design/components/button';
import SegmentedControl from '@cloudscape-design/components/segmented-control';
import { useState } from 'react';

import type { Policy } from '../../api/iam';
import { follow, href, setQuery, usePlace } from '../../app/router';
import { ItemList } from '../../components/ItemList';
import { Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { formatNumber, formatTime, nameOf, t } from '../../messages';
import { DeletePolicy } from './DeletePolicy';
import { PAGE } from './entity';
import { POLICIES, policyPath } from './paths';
import { ownerOf, type Scope, usePolicies } from './policies';

const SCOPES: Scope[] = ['All', 'Local', 'AWS'];

/** The policies that can be attached to users and roles. */
export function Policies() {
  const wanted = usePlace().query.get('scope');
  const scope = SCOPES.find((one) => one === wanted) ?? 'All';
  const [policy, select] = useState<Policy>();
  const [deleting, setDeleting] = useState(false);
  const pages = usePolicies(scope, PAGE);
  return (
    <ItemList
      title={t('nav.policies')}
      description={t('policies.why')}
      heading={t('policies.all')}
      nameOf={(one) => one.PolicyName}
      trackBy={(one) => one.Arn}
      pages={pages}
      selected={policy}
      onSelect={select}
      empty={t('policies.none')}
      filter={
        <SegmentedControl
          label={t('policies.show')}
          selectedId={scope}
          options={SCOPES.map((id) => ({ id, text: t(`policies.scope.${id}`) }))}
          onChange={(event) => {
            select(undefined);
            setQuery({ scope: event.detail.selectedId === 'All' ? undefined : event.detail.selectedId });
          }}
        />
      }
      columns={[
        {
          id: 'name',
          header: t('repository.name'),
          isRowHeader: true,
          cell: (one) => (
            <NavLink to={policyPath(one.Arn)}>
              <Name>{one.PolicyName}</Name>
            </NavLink>
          ),
        },
        { id: 'owner', header: t('policies.owner'), cell: (one) => nameOf('policies.owner', ownerOf(one.Arn)) },
        { id: 'attached', header: t('policies.attached'), cell: (one) => formatNumber(one.AttachmentCount) },
        { id: 'updated', header: t('templates.updated'), cell: (one) => formatTime(one.UpdateDate) },
      ]}
      actions={
        <>
          <Button disabled={policy === undefined || ownerOf(policy.Arn) === 'AWS'} onClick={() => setDeleting(true)}>
            {t('action.delete')}
          </Button>
          <Button variant="primary" href={href(`${POLICIES}/-/create`)} onFollow={follow}>
            {t('policies.create')}
          </Button>
        </>
      }
    >
      {deleting && policy !== undefined && (
        <DeletePolicy
          arn={policy.Arn}
          name={policy.PolicyName}
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
