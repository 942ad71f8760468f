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
import { entityPath } from './entity';
import { NAME, ROLES } from './paths';
import { exampleTrust } from './policies';
import { isValidSession, type RoleDraft, RoleSettings } from './RoleSettings';

interface Draft extends RoleDraft {
  name: string;
  trust: string;
}

/** Create a role with the policy that says who may assume it. */
export function CreateRole() {
  const { account } = useSession();
  const [draft, setDraft, forget] = useDraft<Draft>('create', {
    name: '',
    description: '',
    minutes: '60',
    trust: exampleTrust(account),
  });
  const action = useAction();
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const wrong = draft.name !== '' && !NAME.test(draft.name);
  const create = async () => {
    const created = await action.run(async () => {
      await iam('CreateRole', {
        RoleName: draft.name,
        AssumeRolePolicyDocument: draft.trust,
        MaxSessionDuration: Number(draft.minutes) * 60,
        ...(draft.description === '' ? {} : { Description: draft.description }),
      });
    });
    if (!created) return;
    forget();
    notify('success', t('identity.created', { name: draft.name }));
    navigate(entityPath({ kind: 'role', name: draft.name }));
  };
  return (
    <Screen title={t('roles.create')}>
      <SettingsForm
        action={action}
        submitText={t('roles.create')}
        disabled={draft.name === '' || wrong || !isValidSession(draft.minutes) || jsonProblem(draft.trust) !== undefined}
        onSubmit={() => void create()}
        onCancel={() => navigate(ROLES)}
      >
        <Container header={<Header variant="h2">{t('repository.general')}</Header>}>
          <SpaceBetween size="l">
            <FormField
              label={t('repository.name')}
              constraintText={t('identity.nameRule', { count: 64 })}
              errorText={wrong ? t('identity.nameWrong') : undefined}
            >
              <Input value={draft.name} autoFocus spellcheck={false} onChange={(event) => change({ name: event.detail.value })} />
            </FormField>
            <RoleSettings value={draft} onChange={change} />
          </SpaceBetween>
        </Container>
        <Container>
          <JsonEditor
            label={t('roles.trust')}
            description={t('roles.trustWhy')}
            value={draft.trust}
            onChange={(trust) => change({ trust })}
          />
        </Container>
      </SettingsForm>
    </Screen>
  );
}
