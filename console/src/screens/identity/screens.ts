import { screen } from '../../app/screen';

/** Each has a script of its own. */
export const Users = screen('identity', () => import('./Users'), 'Users');
export const UserScreen = screen('identity', () => import('./UserScreen'), 'UserScreen');
export const UserKeys = screen('identity', () => import('./UserScreen'), 'UserKeys');
export const UserInlinePolicy = screen('identity', () => import('./InlinePolicy'), 'UserInlinePolicy');
export const RoleInlinePolicy = screen('identity', () => import('./InlinePolicy'), 'RoleInlinePolicy');
export const Roles = screen('identity', () => import('./Roles'), 'Roles');
export const CreateRole = screen('identity', () => import('./CreateRole'), 'CreateRole');
export const RoleScreen = screen('identity', () => import('./RoleScreen'), 'RoleScreen');
export const RoleTrust = screen('identity', () => import('./RoleScreen'), 'RoleTrust');
export const RoleGeneral = screen('identity', () => import('./RoleScreen'), 'RoleGeneral');
export const Policies = screen('identity', () => import('./Policies'), 'Policies');
export const CreatePolicy = screen('identity', () => import('./CreatePolicy'), 'CreatePolicy');
export const PolicyScreen = screen('identity', () => import('./PolicyScreen'), 'PolicyScreen');
export const PolicyVersionList = screen('identity', () => import('./PolicyScreen'), 'PolicyVersionList');
export const PolicyUse = screen('identity', () => import('./PolicyScreen'), 'PolicyUse');
export const Providers = screen('identity', () => import('./Providers'), 'Providers');
export const Explain = screen('identity', () => import('./Explain'), 'Explain');
