import { type AttachedPolicy, decoded, iam, type Key, type Policy } from '../../api/iam';
import type { PageOf } from '../../components/usePages';
import { ROLES, USERS } from './paths';

/** A user or a role: what has policies. */
export interface Entity {
  kind: 'user' | 'role';
  name: string;
}

export const PAGE = 25;

export function entityPath({ kind, name }: Entity, ...below: string[]): string {
  return [kind === 'user' ? USERS : ROLES, ...[name, ...below].map(encodeURIComponent)].join('/');
}

const named = ({ kind, name }: Entity) => (kind === 'user' ? { UserName: name } : { RoleName: name });

interface Listed {
  Marker?: string | null;
}

/** A page of IAM as the tables take it. */
export function pageOf<T>(items: T[] | undefined, answer: Listed): PageOf<T> {
  return { items: items ?? [], nextToken: answer.Marker ?? undefined };
}

export async function attachedPolicies(entity: Entity, Marker?: string, signal?: AbortSignal): Promise<PageOf<AttachedPolicy>> {
  const operation = entity.kind === 'user' ? 'ListAttachedUserPolicies' : 'ListAttachedRolePolicies';
  const answer = await iam(operation, { ...named(entity), MaxItems: PAGE, Marker }, signal);
  return pageOf(answer.AttachedPolicies, answer);
}

export async function attach(entity: Entity, PolicyArn: string): Promise<void> {
  await iam(entity.kind === 'user' ? 'AttachUserPolicy' : 'AttachRolePolicy', { ...named(entity), PolicyArn });
}

export async function detach(entity: Entity, PolicyArn: string): Promise<void> {
  await iam(entity.kind === 'user' ? 'DetachUserPolicy' : 'DetachRolePolicy', { ...named(entity), PolicyArn });
}

export async function inlineNames(entity: Entity, Marker?: string, signal?: AbortSignal): Promise<PageOf<string>> {
  const operation = entity.kind === 'user' ? 'ListUserPolicies' : 'ListRolePolicies';
  const answer = await iam(operation, { ...named(entity), MaxItems: PAGE, Marker }, signal);
  return pageOf(answer.PolicyNames, answer);
}

export async function readInline(entity: Entity, PolicyName: string, signal?: AbortSignal): Promise<string> {
  const operation = entity.kind === 'user' ? 'GetUserPolicy' : 'GetRolePolicy';
  return decoded((await iam(operation, { ...named(entity), PolicyName }, signal)).PolicyDocument);
}

export async function putInline(entity: Entity, PolicyName: string, PolicyDocument: string): Promise<void> {
  const operation = entity.kind === 'user' ? 'PutUserPolicy' : 'PutRolePolicy';
  await iam(operation, { ...named(entity), PolicyName, PolicyDocument });
}

export async function deleteInline(entity: Entity, PolicyName: string): Promise<void> {
  await iam(entity.kind === 'user' ? 'DeleteUserPolicy' : 'DeleteRolePolicy', { ...named(entity), PolicyName });
}

/** Delete a user or role. IAM wants it to have nothing left, so its keys and policies go first. */
export async function deleteEntity(entity: Entity): Promise<void> {
  if (entity.kind === 'user') {
    for (const key of await keysOf(entity.name)) {
      await iam('DeleteAccessKey', { UserName: entity.name, AccessKeyId: key.AccessKeyId });
    }
  }
  await emptied(
    () => inlineNames(entity),
    (name) => deleteInline(entity, name),
  );
  await emptied(
    () => attachedPolicies(entity),
    (policy) => detach(entity, policy.PolicyArn),
  );
  await (entity.kind === 'user' ? iam('DeleteUser', { UserName: entity.name }) : iam('DeleteRole', { RoleName: entity.name }));
}

/** Remove what is on the first page of a list until there is only one page, and that is empty. */
async function emptied<T>(first: () => Promise<PageOf<T>>, remove: (item: T) => Promise<void>): Promise<void> {
  for (let page = await first(); page.items.length > 0; page = page.nextToken === undefined ? { items: [] } : await first()) {
    for (const item of page.items) await remove(item);
  }
}

/** The access keys of a user, of which there are at most two. */
export async function keysOf(UserName: string, signal?: AbortSignal): Promise<Key[]> {
  return (await iam('ListAccessKeys', { UserName }, signal)).AccessKeyMetadata ?? [];
}

/** A policy and the text of its default version. */
export async function readPolicy(PolicyArn: string, signal?: AbortSignal): Promise<{ policy: Policy; text: string }> {
  const { Policy: policy } = await iam('GetPolicy', { PolicyArn }, signal);
  const version = await iam('GetPolicyVersion', { PolicyArn, VersionId: policy.DefaultVersionId }, signal);
  return { policy, text: decoded(version.PolicyVersion.Document) };
}
