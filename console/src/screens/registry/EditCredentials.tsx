import Modal from '@cloudscape-design/components/modal';
import { useState } from 'react';

import { ecr } from '../../api/client';
import type { PullThroughCacheRule } from '../../api/ecr';
import { notify } from '../../app/notifications';
import { SettingsForm } from '../../components/SettingsForm';
import { useAction } from '../../components/useAction';
import { t } from '../../messages';
import { areCompleteCredentials, CredentialFields, type Credentials, NO_CREDENTIALS } from './CredentialFields';
import { credentialArn } from './credentialArn';

interface EditCredentialsProps {
  rule: PullThroughCacheRule;
  onClose: () => void;
  onSaved: () => void;
}

/** Change with what a rule logs in. Everything else of a rule stays as it was created. */
export function EditCredentials({ rule, onClose, onSaved }: EditCredentialsProps) {
  const ecrRepositoryPrefix = rule.ecrRepositoryPrefix ?? '';
  const [value, setValue] = useState<Credentials>({ ...NO_CREDENTIALS, kind: 'existing', arn: rule.credentialArn ?? '' });
  const action = useAction();
  const save = async () => {
    const done = await action.run(async () => {
      const arn = await credentialArn(value);
      if (arn === undefined) return;
      setValue({ ...NO_CREDENTIALS, kind: 'existing', arn });
      await ecr('UpdatePullThroughCacheRule', { ecrRepositoryPrefix, credentialArn: arn });
    });
    if (!done) return;
    notify('success', t('document.saved', { name: ecrRepositoryPrefix }));
    onSaved();
    onClose();
  };
  return (
    <Modal visible header={t('pullThrough.editCredentials')} onDismiss={onClose}>
      <SettingsForm
        action={action}
        submitText={t('action.save')}
        disabled={!areCompleteCredentials(value)}
        onSubmit={() => void save()}
        onCancel={onClose}
      >
        <CredentialFields value={value} required onChange={setValue} />
      </SettingsForm>
    </Modal>
  );
}
