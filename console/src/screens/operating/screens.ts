import { lazy } from 'react';

/** The operating screens. Each is a script of its own, which is loaded when it is first shown. */
export const ServerStatus = lazy(async () => ({ default: (await import('./ServerStatus')).ServerStatus }));
export const Jobs = lazy(async () => ({ default: (await import('./Jobs')).Jobs }));
export const Webhooks = lazy(async () => ({ default: (await import('./Webhooks')).Webhooks }));
export const Audit = lazy(async () => ({ default: (await import('./Audit')).Audit }));
export const Usage = lazy(async () => ({ default: (await import('./Usage')).Usage }));
export const Garbage = lazy(async () => ({ default: (await import('./Garbage')).Garbage }));
export const Sessions = lazy(async () => ({ default: (await import('./Sessions')).Sessions }));
