import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import Modal from '@cloudscape-design/components/modal';

import { SettingsForm } from '../../components/SettingsForm';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { t } from '../../messages';

interface CreateNamedProps {
  title: string;
  rule: RegExp;
  ruleText: string;
  onCreate: (name: string) => Promise<void>;
  onClose: () => void;
}

/** A dialog that asks for the name of something new. `onCreate` leaves the screen or closes the dialog. */
export function CreateNamed({ title, rule, ruleText, onCreate, onClose }: CreateNamedProps) {
  const [name, setName, forget] = useDraft(title, '');
  const action = useAction();
  const wrong = name !== '' && !rule.test(name);
  const create = async () => {
    if (await action.run(() => onCreate(name))) forget();
  };
  return (
    <Modal visible header={title} onDismiss={onClose}>
      <SettingsForm
        action={action}
        submitText={t('action.create')}
        disabled={name === '' || wrong}
        onSubmit={() => void create()}
        onCancel={onClose}
      >
        <FormField label={t('repository.name')} constraintText={ruleText} errorText={wrong ? t('identity.nameWrong') : undefined}>
          <Input value={name} autoFocus spellcheck={false} onChange={(event) => setName(event.detail.value.trim())} />
        </FormField>
      </SettingsForm>
    </Modal>
  );
}
