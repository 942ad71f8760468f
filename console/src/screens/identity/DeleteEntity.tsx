import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { t } from '../../messages';
import { deleteEntity, type Entity } from './entity';

interface DeleteEntityProps {
  entity: Entity;
  onClose: () => void;
  onDeleted: () => void;
}

/** Delete a user or role, with its keys and policies, after its name was typed. */
export function DeleteEntity({ entity, onClose, onDeleted }: DeleteEntityProps) {
  return (
    <ConfirmDialog
      title={t(`delete.${entity.kind}`)}
      warning={t(`delete.warning.${entity.kind}`)}
      typed={entity.name}
      onClose={onClose}
      onConfirm={async () => {
        await deleteEntity(entity);
        notify('success', t('document.deleted', { name: entity.name }));
        onDeleted();
      }}
    />
  );
}
