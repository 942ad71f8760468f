import Checkbox from '@cloudscape-design/components/checkbox';
import { useState } from 'react';

import { ecr } from '../../api/client';
import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { Name } from '../../components/Name';
import { t } from '../../messages';

interface DeleteRepositoriesProps {
  names: string[];
  onClose: () => void;
  onDeleted: () => void;
}

/** Delete repositories after their name was typed; several after a word was typed. */
export function DeleteRepositories({ names, onClose, onDeleted }: DeleteRepositoriesProps) {
  const [force, setForce] = useState(false);
  const [only] = names;
  return (
    <ConfirmDialog
      title={t('repository.delete')}
      warning={t('repository.deleteWarning')}
      typed={names.length === 1 && only !== undefined ? only : t('confirm.word')}
      onClose={onClose}
      onConfirm={async () => {
        try {
          for (const repositoryName of names) {
            await ecr('DeleteRepository', { repositoryName, force });
            notify('success', t('repository.deleted', { name: repositoryName }));
          }
        } finally {
          onDeleted();
        }
      }}
    >
      <ul className="scrolled">
        {names.map((name) => (
          <li key={name}>
            <Name>{name}</Name>
          </li>
        ))}
      </ul>
      <Checkbox checked={force} onChange={(event) => setForce(event.detail.checked)}>
        {t('repository.deleteImages')}
      </Checkbox>
    </ConfirmDialog>
  );
}
