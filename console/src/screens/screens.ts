import { screen } from '../app/screen';

/** The screens of registries. Each has a script of its own, except for the first one. */
export const NotFound = screen('common', () => import('./NotFound'), 'NotFound');

export { Repositories } from './repositories/Repositories';
export const CreateRepository = screen('common', () => import('./repositories/CreateRepository'), 'CreateRepository');
export const EditRepository = screen('common', () => import('./repositories/EditRepository'), 'EditRepository');

export const Images = screen('repository', () => import('./repository/Images'), 'Images');
export const DeletedImages = screen('repository', () => import('./repository/DeletedImages'), 'DeletedImages');
export const Summary = screen('repository', () => import('./repository/Summary'), 'Summary');
export const Permissions = screen('repository', () => import('./repository/Permissions'), 'Permissions');
export const Lifecycle = screen('repository', () => import('./repository/Lifecycle'), 'Lifecycle');
export const RepositoryTags = screen('repository', () => import('./repository/RepositoryTags'), 'RepositoryTags');

export const ImageScreen = screen('repository', () => import('./image/ImageScreen'), 'ImageScreen');

export const RegistryPermissions = screen('registry', () => import('./registry/RegistryPermissions'), 'RegistryPermissions');
export const PullThrough = screen('registry', () => import('./registry/PullThrough'), 'PullThrough');
export const CreatePullThrough = screen('registry', () => import('./registry/CreatePullThrough'), 'CreatePullThrough');
export const Replication = screen('registry', () => import('./registry/Replication'), 'Replication');
export const Scanning = screen('registry', () => import('./registry/Scanning'), 'Scanning');
export const Templates = screen('registry', () => import('./registry/Templates'), 'Templates');
export const CreateTemplate = screen('registry', () => import('./registry/EditTemplate'), 'CreateTemplate');
export const EditTemplate = screen('registry', () => import('./registry/EditTemplate'), 'EditTemplate');
export const Signing = screen('registry', () => import('./registry/Signing'), 'Signing');
export const Exclusions = screen('registry', () => import('./registry/Exclusions'), 'Exclusions');
export const Settings = screen('registry', () => import('./registry/Settings'), 'Settings');
