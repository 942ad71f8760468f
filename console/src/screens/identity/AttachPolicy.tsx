import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import type { Policy } from '../../api/iam';
import { notify } from '../../app/notifications';
import { ErrorNote } from '../../components/ErrorNote';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { useAction } from '../../components/useAction';
import { nameOf, t } from '../../messages';
import { attach, type Entity } from './entity';
import { ownerOf, usePolicies } from './policies';

interface AttachPolicyProps {
  entity: Entity;
  onClose: () => void;
  onAttached: () => void;
}

/** Choose policies of the account or of AWS, and attach them to a user or role. */
export function AttachPolicy({ entity, onClose, onAttached }: AttachPolicyProps) {
  const [selected, setSelected] = useState<Policy[]>([]);
  const pages = usePolicies('All', 10);
  const action = useAction();
  const add = async () => {
    const done = await action.run(async () => {
      for (const policy of selected) {
        await attach(entity, policy.Arn);
        notify('success', t('attached.done', { name: policy.PolicyName }));
      }
    });
    onAttached();
    if (done) onClose();
  };
  return (
    <Modal
      visible
      size="large"
      header={t('attached.attach')}
      onDismiss={onClose}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={onClose}>
              {t('action.cancel')}
            </Button>
            <Button variant="primary" disabled={selected.length === 0} loading={action.busy} onClick={() => void add()}>
              {t('attached.submit')}
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <SpaceBetween size="m">
        <ErrorNote error={action.error} />
        <PagedTable
          pages={pages}
          variant="borderless"
          label={t('nav.policies')}
          trackBy={(one) => one.Arn}
          labelOf={(one) => one.PolicyName}
          selectionType="multi"
          selected={selected}
          onSelect={setSelected}
          empty={t('policies.none')}
          columns={[
            { id: 'name', header: t('repository.name'), isRowHeader: true, cell: (one) => <Name>{one.PolicyName}</Name> },
            { id: 'owner', header: t('policies.owner'), cell: (one) => nameOf('policies.owner', ownerOf(one.Arn)) },
          ]}
          header={<Header variant="h3">{t('nav.policies')}</Header>}
        />
      </SpaceBetween>
    </Modal>
  );
}
