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
export const Summary = lazy(async () => ({ default: (await import('./repository/Summary')).Summary }));
export const Permissions = lazy(async () => ({ default: (await import('./repository/Permissions')).Permissions }));
export const Lifecycle = lazy(async () => ({ default: (await import('./repository/Lifecycle')).Lifecycle }));
export const RepositoryTags = lazy(async () => ({
  default: (await import('./repository/RepositoryTags')).RepositoryTags,
}));

export const ImageScreen = lazy(async () => ({ default: (await import('./image/ImageScreen')).ImageScreen }));
