import { lazy } from 'react';

/** Each screen is a script of its own, which is loaded when it is first shown. */
export const Users = lazy(async () => ({ default: (await import('./Users')).Users }));
export const UserScreen = lazy(async () => ({ default: (await import('./UserScreen')).UserScreen }));
export const UserKeys = lazy(async () => ({ default: (await import('./UserScreen')).UserKeys }));
export const UserInlinePolicy = lazy(async () => ({ default: (await import('./InlinePolicy')).UserInlinePolicy }));
export const RoleInlinePolicy = lazy(async () => ({ default: (await import('./InlinePolicy')).RoleInlinePolicy }));
export const Roles = lazy(async () => ({ default: (await import('./Roles')).Roles }));
export const CreateRole = lazy(async () => ({ default: (await import('./CreateRole')).CreateRole }));
export const RoleScreen = lazy(async () => ({ default: (await import('./RoleScreen')).RoleScreen }));
export const RoleTrust = lazy(async () => ({ default: (await import('./RoleScreen')).RoleTrust }));
export const RoleGeneral = lazy(async () => ({ default: (await import('./RoleScreen')).RoleGeneral }));
export const Policies = lazy(async () => ({ default: (await import('./Policies')).Policies }));
export const CreatePolicy = lazy(async () => ({ default: (await import('./CreatePolicy')).CreatePolicy }));
export const PolicyScreen = lazy(async () => ({ default: (await import('./PolicyScreen')).PolicyScreen }));
export const PolicyVersionList = lazy(async () => ({ default: (await import('./PolicyScreen')).PolicyVersionList }));
export const PolicyUse = lazy(async () => ({ default: (await import('./PolicyScreen')).PolicyUse }));
export const Providers = lazy(async () => ({ default: (await import('./Providers')).Providers }));
export const Explain = lazy(async () => ({ default: (await import('./Explain')).Explain }));
