import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { Suspense, useState } from 'react';

import type { AttachedPolicy } from '../../api/iam';
import { notify } from '../../app/notifications';
import { navigate } from '../../app/router';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { CopyText } from '../../components/CopyText';
import { Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { PagedTable } from '../../components/PagedTable';
import { usePages } from '../../components/usePages';
import { t } from '../../messages';
import { CreateNamed } from './CreateNamed';
import { AttachPolicy } from './dialogs';
import { attachedPolicies, detach, type Entity, entityPath, inlineNames } from './entity';
import { POLICY_NAME, policyPath } from './paths';

/** The policies of a user or role: those attached, and those that only it has. */
export function EntityPolicies({ entity }: { entity: Entity }) {
  return (
    <SpaceBetween size="l">
      <Attached entity={entity} />
      <Inline entity={entity} />
    </SpaceBetween>
  );
}

function Attached({ entity }: { entity: Entity }) {
  const [selected, setSelected] = useState<AttachedPolicy[]>([]);
  const [dialog, setDialog] = useState<'attach' | 'detach'>();
  const pages = usePages(`attached to ${entity.kind} ${entity.name}`, (marker, signal) => attachedPolicies(entity, marker, signal));
  const [policy] = selected;
  const close = () => setDialog(undefined);
  return (
    <>
      <PagedTable
        pages={pages}
        label={t('attached.title')}
        rows={2}
        trackBy={(one) => one.PolicyArn}
        labelOf={(one) => one.PolicyName}
        selectionType="single"
        selected={selected}
        onSelect={setSelected}
        empty={t('attached.none')}
        columns={[
          {
            id: 'name',
            header: t('repository.name'),
            isRowHeader: true,
            cell: (one) => (
              <NavLink to={policyPath(one.PolicyArn)}>
                <Name>{one.PolicyName}</Name>
              </NavLink>
            ),
          },
          { id: 'arn', header: t('repository.arn'), cell: (one) => <CopyText text={one.PolicyArn} what={t('repository.arn')} /> },
        ]}
        header={
          <Header
            variant="h2"
            description={t('attached.why')}
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button disabled={policy === undefined} onClick={() => setDialog('detach')}>
                  {t('attached.detach')}
                </Button>
                <Button onClick={() => setDialog('attach')}>{t('attached.attach')}</Button>
              </SpaceBetween>
            }
          >
            {t('attached.title')}
          </Header>
        }
      />
      <Suspense fallback={null}>
        {dialog === 'attach' && <AttachPolicy entity={entity} onClose={close} onAttached={pages.reload} />}
      </Suspense>
      {dialog === 'detach' && policy !== undefined && (
        <ConfirmDialog
          title={t('attached.detach')}
          warning={t('attached.detachWarning')}
          button={t('attached.detach')}
          onClose={close}
          onConfirm={async () => {
            await detach(entity, policy.PolicyArn);
            notify('success', t('attached.detached', { name: policy.PolicyName }));
            setSelected([]);
            pages.reload();
          }}
        >
          <Name>{policy.PolicyArn}</Name>
        </ConfirmDialog>
      )}
    </>
  );
}

function Inline({ entity }: { entity: Entity }) {
  const [creating, setCreating] = useState(false);
  const pages = usePages(`inline of ${entity.kind} ${entity.name}`, (marker, signal) => inlineNames(entity, marker, signal));
  return (
    <>
      <PagedTable
        pages={pages}
        label={t('inline.title')}
        rows={2}
        trackBy={(name) => name}
        empty={t('inline.none')}
        columns={[
          {
            id: 'name',
            header: t('repository.name'),
            isRowHeader: true,
            cell: (name) => (
              <NavLink to={entityPath(entity, 'policies', name)}>
                <Name>{name}</Name>
              </NavLink>
            ),
          },
        ]}
        header={
          <Header
            variant="h2"
            description={t('inline.why')}
            actions={<Button onClick={() => setCreating(true)}>{t('inline.create')}</Button>}
          >
            {t('inline.title')}
          </Header>
        }
      />
      {creating && (
        <CreateNamed
          title={t('inline.create')}
          rule={POLICY_NAME}
          ruleText={t('identity.nameRule', { count: 128 })}
          onClose={() => setCreating(false)}
          onCreate={(name) => {
            navigate(entityPath(entity, 'policies', name));
            return Promise.resolve();
          }}
        />
      )}
    </>
  );
}
