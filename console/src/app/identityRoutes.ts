import { type MessageKey, t } from '../messages';
import * as screens from '../screens/identity/screens';
import type { Params } from './router';
import type { Crumb, Route } from './routes';

const USERS = '/identity/users';
const ROLES = '/identity/roles';
const POLICIES = '/identity/policies';

/** The crumbs of a list of the topic, of what is in it, and of what is below that. */
const crumbs =
  (title: MessageKey, path: string, below?: (params: Params) => string[]) =>
  (params: Params): Crumb[] => {
    const list = [
      { text: t('nav.identity'), path: USERS },
      { text: t(title), path },
    ];
    let at = path;
    for (const name of below?.(params) ?? []) {
      at = `${at}/${encodeURIComponent(name)}`;
      list.push({ text: name.slice(name.lastIndexOf('/') + 1), path: at });
    }
    return list;
  };

const creating = (title: MessageKey) => () => [t(title)];
const user = crumbs('nav.users', USERS, ({ name = '' }) => [name]);
const role = crumbs('nav.roles', ROLES, ({ name = '' }) => [name]);
const policy = crumbs('nav.policies', POLICIES, ({ arn = '' }) => [arn]);

/** A policy of one user or role: the crumb before it leads to its owner. */
const inline =
  (owner: (params: Params) => Crumb[]) =>
  (params: Params): Crumb[] => [...owner(params), { text: params.policy ?? '', path: '' }];

/** The screens of users, roles, policies and identity providers. */
export const IDENTITY: Route[] = [
  { pattern: USERS, screen: screens.Users, crumbs: crumbs('nav.users', USERS) },
  { pattern: `${USERS}/:name`, screen: screens.UserScreen, crumbs: user },
  { pattern: `${USERS}/:name/keys`, screen: screens.UserKeys, crumbs: user },
  { pattern: `${USERS}/:name/policies/:policy`, screen: screens.UserInlinePolicy, crumbs: inline(user) },
  { pattern: ROLES, screen: screens.Roles, crumbs: crumbs('nav.roles', ROLES) },
  { pattern: `${ROLES}/-/create`, screen: screens.CreateRole, crumbs: crumbs('nav.roles', ROLES, creating('roles.create')) },
  { pattern: `${ROLES}/:name`, screen: screens.RoleScreen, crumbs: role },
  { pattern: `${ROLES}/:name/trust`, screen: screens.RoleTrust, crumbs: role },
  { pattern: `${ROLES}/:name/settings`, screen: screens.RoleGeneral, crumbs: role },
  { pattern: `${ROLES}/:name/policies/:policy`, screen: screens.RoleInlinePolicy, crumbs: inline(role) },
  { pattern: POLICIES, screen: screens.Policies, crumbs: crumbs('nav.policies', POLICIES) },
  {
    pattern: `${POLICIES}/-/create`,
    screen: screens.CreatePolicy,
    crumbs: crumbs('nav.policies', POLICIES, creating('policies.create')),
  },
  { pattern: `${POLICIES}/:arn`, screen: screens.PolicyScreen, crumbs: policy },
  { pattern: `${POLICIES}/:arn/versions`, screen: screens.PolicyVersionList, crumbs: policy },
  { pattern: `${POLICIES}/:arn/attached`, screen: screens.PolicyUse, crumbs: policy },
  { pattern: '/identity/providers', screen: screens.Providers, crumbs: crumbs('nav.providers', '/identity/providers') },
  { pattern: '/identity/explain', screen: screens.Explain, crumbs: crumbs('nav.explain', '/identity/explain') },
];
