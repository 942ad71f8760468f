import { screen } from '../../app/screen';

/** The operating screens. Each has a script of its own. */
export const ServerStatus = screen('operating', () => import('./ServerStatus'), 'ServerStatus');
export const Jobs = screen('operating', () => import('./Jobs'), 'Jobs');
export const Webhooks = screen('operating', () => import('./Webhooks'), 'Webhooks');
export const Audit = screen('operating', () => import('./Audit'), 'Audit');
export const Usage = screen('operating', () => import('./Usage'), 'Usage');
export const Garbage = screen('operating', () => import('./Garbage'), 'Garbage');
export const Sessions = screen('operating', () => import('./Sessions'), 'Sessions');
