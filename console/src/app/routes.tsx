import type { ComponentType } from 'react';

import { type MessageKey, t } from '../messages';
import * as screens from '../screens/screens';
import { IDENTITY } from './identityRoutes';
import { OPERATING } from './operatingRoutes';
import { match, type Params, repositoryPath } from './router';

/** What each screen is given: the parts of its address. */
export interface ScreenParams {
  params: Params;
}

export interface Crumb {
  text: string;
  path: string;
}

export interface Route {
  pattern: string;
  screen: ComponentType<ScreenParams>;
  crumbs: (params: Params) => Crumb[];
}

const repositories = (): Crumb => ({ text: t('nav.repositories'), path: '/repositories' });
const repository = ({ name = '' }: Params): Crumb[] => [repositories(), { text: name, path: repositoryPath(name) }];

const image = (params: Params): Crumb[] => {
  const { name = '', digest = '' } = params;
  return [...repository(params), { text: digest.slice(0, 19), path: repositoryPath(name, 'images', digest) }];
};

/** The crumbs of a screen of the private registry, and of what is below it. */
const registry =
  (title: MessageKey, path: string, below?: MessageKey) =>
  (): Crumb[] => {
    const crumbs = [
      { text: t('nav.registry'), path: '/registry/permissions' },
      { text: t(title), path: `/registry/${path}` },
    ];
    return below === undefined ? crumbs : [...crumbs, { text: t(below), path: '' }];
  };

/** The screens. A pattern is described in `router.ts`; the first one that matches is shown. */
export const ROUTES: Route[] = [
  { pattern: '/', screen: screens.Repositories, crumbs: () => [repositories()] },
  { pattern: '/repositories', screen: screens.Repositories, crumbs: () => [repositories()] },
  {
    pattern: '/repositories/-/create',
    screen: screens.CreateRepository,
    crumbs: () => [repositories(), { text: t('repository.create'), path: '/repositories/-/create' }],
  },
  { pattern: '/repositories/*name', screen: screens.Images, crumbs: repository },
  { pattern: '/repositories/*name/-/deleted', screen: screens.DeletedImages, crumbs: repository },
  { pattern: '/repositories/*name/-/summary', screen: screens.Summary, crumbs: repository },
  { pattern: '/repositories/*name/-/permissions', screen: screens.Permissions, crumbs: repository },
  { pattern: '/repositories/*name/-/lifecycle', screen: screens.Lifecycle, crumbs: repository },
  { pattern: '/repositories/*name/-/tags', screen: screens.RepositoryTags, crumbs: repository },
  { pattern: '/repositories/*name/-/images/:digest', screen: screens.ImageScreen, crumbs: image },
  { pattern: '/repositories/*name/-/images/:digest/:tab', screen: screens.ImageScreen, crumbs: image },
  {
    pattern: '/repositories/*name/-/edit',
    screen: screens.EditRepository,
    crumbs: (params) => [...repository(params), { text: t('action.edit'), path: repositoryPath(params.name ?? '', 'edit') }],
  },
  {
    pattern: '/registry/permissions',
    screen: screens.RegistryPermissions,
    crumbs: registry('nav.registryPermissions', 'permissions'),
  },
  { pattern: '/registry/pull-through-cache', screen: screens.PullThrough, crumbs: registry('nav.pullThrough', 'pull-through-cache') },
  {
    pattern: '/registry/pull-through-cache/create',
    screen: screens.CreatePullThrough,
    crumbs: registry('nav.pullThrough', 'pull-through-cache', 'pullThrough.add'),
  },
  { pattern: '/registry/replication', screen: screens.Replication, crumbs: registry('nav.replication', 'replication') },
  { pattern: '/registry/scanning', screen: screens.Scanning, crumbs: registry('nav.scanning', 'scanning') },
  { pattern: '/registry/creation-templates', screen: screens.Templates, crumbs: registry('nav.templates', 'creation-templates') },
  {
    pattern: '/registry/creation-templates/-/create',
    screen: screens.CreateTemplate,
    crumbs: registry('nav.templates', 'creation-templates', 'templates.create'),
  },
  {
    pattern: '/registry/creation-templates/-/edit/:prefix',
    screen: screens.EditTemplate,
    crumbs: registry('nav.templates', 'creation-templates', 'action.edit'),
  },
  { pattern: '/registry/signing', screen: screens.Signing, crumbs: registry('nav.signing', 'signing') },
  { pattern: '/registry/pull-time-exclusions', screen: screens.Exclusions, crumbs: registry('nav.exclusions', 'pull-time-exclusions') },
  { pattern: '/registry/settings', screen: screens.Settings, crumbs: registry('nav.settings', 'settings') },
  ...IDENTITY,
  ...OPERATING,
];

const NONE: Route = { pattern: '', screen: screens.NotFound, crumbs: () => [repositories()] };

export function findRoute(path: string): { route: Route; params: Params } {
  for (const route of ROUTES) {
    const params = match(route.pattern, path);
    if (params !== undefined) return { route, params };
  }
  return { route: NONE, params: {} };
}
