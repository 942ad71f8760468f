/** The paths of the screens of users, roles and policies. */
export const USERS = '/identity/users';
export const ROLES = '/identity/roles';
export const POLICIES = '/identity/policies';

/** Names of users and roles. */
export const NAME = /^[\w+=,.@-]{1,64}$/;
/** Names of policies. */
export const POLICY_NAME = /^[\w+=,.@-]{1,128}$/;

/** A policy of the account or, for its name, of AWS. */
export function policyPath(arn: string, ...below: string[]): string {
  return [POLICIES, ...[arn, ...below].map(encodeURIComponent)].join('/');
}
