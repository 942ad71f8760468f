import { lazy } from 'react';

/** The dialogs of users and roles, which are loaded when they are opened. */
export const AttachPolicy = lazy(async () => ({ default: (await import('./AttachPolicy')).AttachPolicy }));
