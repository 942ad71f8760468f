import { lazy } from 'react';

/** Each screen is a script of its own, which is loaded when it is first shown. */
export const NotFound = lazy(async () => ({ default: (await import('./NotFound')).NotFound }));

export const Repositories = lazy(async () => ({ default: (await import('./repositories/Repositories')).Repositories }));
export const CreateRepository = lazy(async () => ({
  default: (await import('./repositories/CreateRepository')).CreateRepository,
}));
export const EditRepository = lazy(async () => ({
  default: (await import('./repositories/EditRepository')).EditRepository,
}));

export const Images = lazy(async () => ({ default: (await import('./repository/Images')).Images }));
export const DeletedImages = lazy(async () => ({ default: (await import('./repository/DeletedImages')).DeletedImages }));
export const Summary = lazy(async () => ({ default: (await import('./repository/Summary')).Summary }));
export const Permissions = lazy(async () => ({ default: (await import('./repository/Permissions')).Permissions }));
export const Lifecycle = lazy(async () => ({ default: (await import('./repository/Lifecycle')).Lifecycle }));
export const RepositoryTags = lazy(async () => ({
  default: (await import('./repository/RepositoryTags')).RepositoryTags,
}));

export const ImageScreen = lazy(async () => ({ default: (await import('./image/ImageScreen')).ImageScreen }));

export const RegistryPermissions = lazy(async () => ({
  default: (await import('./registry/RegistryPermissions')).RegistryPermissions,
}));
export const PullThrough = lazy(async () => ({ default: (await import('./registry/PullThrough')).PullThrough }));
export const CreatePullThrough = lazy(async () => ({
  default: (await import('./registry/CreatePullThrough')).CreatePullThrough,
}));
export const Replication = lazy(async () => ({ default: (await import('./registry/Replication')).Replication }));
export const Scanning = lazy(async () => ({ default: (await import('./registry/Scanning')).Scanning }));
export const Templates = lazy(async () => ({ default: (await import('./registry/Templates')).Templates }));
export const CreateTemplate = lazy(async () => ({ default: (await import('./registry/EditTemplate')).CreateTemplate }));
export const EditTemplate = lazy(async () => ({ default: (await import('./registry/EditTemplate')).EditTemplate }));
export const Signing = lazy(async () => ({ default: (await import('./registry/Signing')).Signing }));
export const Exclusions = lazy(async () => ({ default: (await import('./registry/Exclusions')).Exclusions }));
export const Settings = lazy(async () => ({ default: (await import('./registry/Settings')).Settings }));
