import { lazy } from 'react';

/** The dialogs of repositories, which are loaded when they are opened. */
export const PushCommands = lazy(async () => ({ default: (await import('./PushCommands')).PushCommands }));
export const DeleteRepositories = lazy(async () => ({
  default: (await import('./DeleteRepositories')).DeleteRepositories,
}));
