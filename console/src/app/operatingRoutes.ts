import type { ComponentType } from 'react';

import { type MessageKey, t } from '../messages';
import * as screens from '../screens/operating/screens';
import type { Route, ScreenParams } from './routes';

const screen = (path: string, title: MessageKey, shown: ComponentType<ScreenParams>): Route => ({
  pattern: `/operating/${path}`,
  screen: shown,
  crumbs: () => [
    { text: t('nav.operating'), path: '/operating/status' },
    { text: t(title), path: `/operating/${path}` },
  ],
});

/** The screens about the server. */
export const OPERATING: Route[] = [
  screen('status', 'nav.serverStatus', screens.ServerStatus),
  screen('jobs', 'nav.jobs', screens.Jobs),
  screen('webhooks', 'nav.webhooks', screens.Webhooks),
  screen('audit', 'nav.audit', screens.Audit),
  screen('usage', 'nav.usage', screens.Usage),
  screen('garbage', 'nav.garbage', screens.Garbage),
  screen('sessions', 'nav.sessions', screens.Sessions),
];
