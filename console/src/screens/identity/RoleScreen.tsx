import Container from '@cloudscape-design/components/container';

import { decoded, iam, type Role as RoleOf } from '../../api/iam';
import { notify } from '../../app/notifications';
import type { ScreenParams } from '../../app/routes';
import { useSession } from '../../app/session';
import { DocumentEditor } from '../../components/DocumentEditor';
import { Part } from '../../components/Part';
import { SettingsForm } from '../../components/SettingsForm';
import { useAction } from '../../components/useAction';
import { useDocument } from '../../components/useDocument';
import { useDraft } from '../../components/useDraft';
import { type Loaded, useLoad } from '../../components/useLoad';
import { t } from '../../messages';
import type { Entity } from './entity';
import { EntityPolicies } from './EntityPolicies';
import { EntityScreen, type EntityTab } from './EntityScreen';
import { exampleTrust } from './policies';
import { isValidSession, type RoleDraft, RoleSettings } from './RoleSettings';

const TABS: EntityTab[] = ['policies', 'trust', 'settings'];

/** A role: its policies. */
export function RoleScreen({ params }: ScreenParams) {
  return <Role name={params.name ?? ''} tab="policies" />;
}

/** A role: who may assume it. */
export function RoleTrust({ params }: ScreenParams) {
  return <Role name={params.name ?? ''} tab="trust" />;
}

/** A role: its description, and how long its sessions may be. */
export function RoleGeneral({ params }: ScreenParams) {
  return <Role name={params.name ?? ''} tab="settings" />;
}

async function readRole(name: string, signal?: AbortSignal): Promise<RoleOf> {
  return (await iam('GetRole', { RoleName: name }, signal)).Role;
}

function Role({ name, tab }: { name: string; tab: EntityTab }) {
  const role = useLoad(`role ${name}`, (signal) => readRole(name, signal));
  const entity: Entity = { kind: 'role', name };
  return (
    <EntityScreen entity={entity} loaded={role} tab={tab} tabs={TABS}>
      {tab === 'policies' && <EntityPolicies entity={entity} />}
      {tab === 'trust' && <Trust name={name} />}
      {tab === 'settings' && <General role={role} />}
    </EntityScreen>
  );
}

function Trust({ name }: { name: string }) {
  const { account } = useSession();
  const document = useDocument({
    key: `trust of ${name}`,
    read: async (signal) => decoded((await readRole(name, signal)).AssumeRolePolicyDocument),
    write: async (text) => {
      await iam('UpdateAssumeRolePolicy', { RoleName: name, PolicyDocument: text });
    },
  });
  return (
    <Container>
      <DocumentEditor document={document} label={t('roles.trust')} description={t('roles.trustWhy')} template={exampleTrust(account)} />
    </Container>
  );
}

function General({ role }: { role: Loaded<RoleOf> }) {
  return (
    <Container>
      <Part of={role} lines={5}>
        {(saved) => <Settings key={`${saved.MaxSessionDuration} ${saved.Description ?? ''}`} saved={saved} onSaved={role.reload} />}
      </Part>
    </Container>
  );
}

function Settings({ saved, onSaved }: { saved: RoleOf; onSaved: () => void }) {
  const before: RoleDraft = { description: saved.Description ?? '', minutes: String(saved.MaxSessionDuration / 60) };
  const [draft, setDraft, forget] = useDraft('settings', before);
  const action = useAction();
  const save = async () => {
    const done = await action.run(async () => {
      await iam('UpdateRole', {
        RoleName: saved.RoleName,
        Description: draft.description,
        MaxSessionDuration: Number(draft.minutes) * 60,
      });
    });
    if (!done) return;
    forget();
    notify('success', t('document.saved', { name: saved.RoleName }));
    onSaved();
  };
  return (
    <SettingsForm
      action={action}
      submitText={t('action.save')}
      disabled={!isValidSession(draft.minutes) || JSON.stringify(draft) === JSON.stringify(before)}
      onSubmit={() => void save()}
    >
      <RoleSettings value={draft} onChange={setDraft} />
    </SettingsForm>
  );
}
