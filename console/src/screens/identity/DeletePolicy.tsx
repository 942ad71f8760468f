import { iam } from '../../api/iam';
import { notify } from '../../app/notifications';
import { ConfirmDialog } from '../../components/ConfirmDialog';
import { t } from '../../messages';

interface DeletePolicyProps {
  arn: string;
  name: string;
  onClose: () => void;
  onDeleted: () => void;
}

/** Delete a policy with its older versions, of which there are at most four, after its name was typed. */
export function DeletePolicy({ arn, name, onClose, onDeleted }: DeletePolicyProps) {
  return (
    <ConfirmDialog
      title={t('policies.delete')}
      warning={t('policies.deleteWarning')}
      typed={name}
      onClose={onClose}
      onConfirm={async () => {
        // IAM refuses while the policy is attached, but only after the versions are gone: find out before.
        const used = await iam('ListEntitiesForPolicy', { PolicyArn: arn, MaxItems: 1 });
        if ((used.PolicyUsers ?? []).length + (used.PolicyRoles ?? []).length === 0) {
          const versions = (await iam('ListPolicyVersions', { PolicyArn: arn })).Versions ?? [];
          for (const { VersionId } of versions.filter((version) => !version.IsDefaultVersion)) {
            await iam('DeletePolicyVersion', { PolicyArn: arn, VersionId });
          }
        }
        await iam('DeletePolicy', { PolicyArn: arn });
        notify('success', t('document.deleted', { name }));
        onDeleted();
      }}
    />
  );
}
