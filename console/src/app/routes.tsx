import { type ComponentType, lazy } from 'react';

import { t } from '../messages';
import { match, type Params } from './router';

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

const NotFound = lazy(async () => ({ default: (await import('../screens/NotFound')).NotFound }));
const Repositories = lazy(async () => ({ default: (await import('../screens/repositories/Repositories')).Repositories }));

const repositories = (): Crumb => ({ text: t('nav.repositories'), path: '/repositories' });

/** The screens. A pattern is described in `router.ts`; the first one that matches is shown. */
export const ROUTES: Route[] = [
  { pattern: '/', screen: Repositories, crumbs: () => [repositories()] },
  { pattern: '/repositories', screen: Repositories, crumbs: () => [repositories()] },
];

const NONE: Route = { pattern: '', screen: NotFound, crumbs: () => [repositories()] };

export function findRoute(path: string): { route: Route; params: Params } {
  for (const route of ROUTES) {
    const params = match(route.pattern, path);
    if (params !== undefined) return { route, params };
  }
  return { route: NONE, params: {} };
}
