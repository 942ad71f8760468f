import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { iam } from '../../api/iam';
import { notify } from '../../app/notifications';
import { navigate } from '../../app/router';
import { useSession } from '../../app/session';
import { jsonProblem } from '../../components/json';
import { JsonEditor } from '../../components/JsonEditor';
import { Screen } from '../../components/Screen';
import { SettingsForm } from '../../components/SettingsForm';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { t } from '../../messages';
import { POLICIES, POLICY_NAME, policyPath } from './paths';
import { examplePolicy } from './policies';

interface Draft {
  name: string;
  description: string;
  text: string;
}

/** Create a policy that can be attached to users and roles. */
export function CreatePolicy() {
  const { account } = useSession();
  const [draft, setDraft, forget] = useDraft<Draft>('create', { name: '', description: '', text: examplePolicy(account) });
  const action = useAction();
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const wrong = draft.name !== '' && !POLICY_NAME.test(draft.name);
  const create = async () => {
    const created = await action.run(async () => {
      const { Policy } = await iam('CreatePolicy', {
        PolicyName: draft.name,
        PolicyDocument: draft.text,
        ...(draft.description === '' ? {} : { Description: draft.description }),
      });
      navigate(policyPath(Policy.Arn));
    });
    if (!created) return;
    forget();
    notify('success', t('identity.created', { name: draft.name }));
  };
  return (
    <Screen title={t('policies.create')}>
      <SettingsForm
        action={action}
        submitText={t('policies.create')}
        disabled={draft.name === '' || wrong || jsonProblem(draft.text) !== undefined}
        onSubmit={() => void create()}
        onCancel={() => navigate(POLICIES)}
      >
        <Container header={<Header variant="h2">{t('repository.general')}</Header>}>
          <SpaceBetween size="l">
            <FormField
              label={t('repository.name')}
              constraintText={t('identity.nameRule', { count: 128 })}
              errorText={wrong ? t('identity.nameWrong') : undefined}
            >
              <Input value={draft.name} autoFocus spellcheck={false} onChange={(event) => change({ name: event.detail.value })} />
            </FormField>
            <FormField label={t('templates.description')} description={t('policies.descriptionOnce')} constraintText={t('state.optional')}>
              <Input value={draft.description} onChange={(event) => change({ description: event.detail.value })} />
            </FormField>
          </SpaceBetween>
        </Container>
        <Container>
          <JsonEditor label={t('policies.document')} value={draft.text} onChange={(text) => change({ text })} />
        </Container>
      </SettingsForm>
    </Screen>
  );
}
