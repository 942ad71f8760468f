import { iam } from '../../api/iam';
import type { ScreenParams } from '../../app/routes';
import { useLoad } from '../../components/useLoad';
import type { Entity } from './entity';
import { EntityPolicies } from './EntityPolicies';
import { EntityScreen, type EntityTab } from './EntityScreen';
import { Keys } from './Keys';

const TABS: EntityTab[] = ['policies', 'keys'];

/** A user: its policies. */
export function UserScreen({ params }: ScreenParams) {
  return <User name={params.name ?? ''} tab="policies" />;
}

/** A user: its access keys. */
export function UserKeys({ params }: ScreenParams) {
  return <User name={params.name ?? ''} tab="keys" />;
}

function User({ name, tab }: { name: string; tab: EntityTab }) {
  const user = useLoad(`user ${name}`, async (signal) => (await iam('GetUser', { UserName: name }, signal)).User);
  const entity: Entity = { kind: 'user', name };
  return (
    <EntityScreen entity={entity} loaded={user} tab={tab} tabs={TABS}>
      {tab === 'keys' ? <Keys user={name} /> : <EntityPolicies entity={entity} />}
    </EntityScreen>
  );
}
