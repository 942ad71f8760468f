import { readSession } from '../api/session';
import { createStore } from './store';

/** Whether the server answers, and whether it has a newer build than this page. */
export interface Connection {
  down: boolean;
  newerBuild: boolean;
  /** How often the server was back; what failed is then loaded again. */
  recoveries: number;
}

export const connection = createStore<Connection>({ down: false, newerBuild: false, recoveries: 0 });

let timer: ReturnType<typeof setTimeout> | undefined;

export function serverIsDown(retryAfter: number): void {
  if (!connection.get().down) connection.set({ ...connection.get(), down: true });
  timer ??= setTimeout(retry, Math.min(Math.max(retryAfter, 1), 60) * 1000);
}

/** Look whether the server is back. */
export function retry(): void {
  clearTimeout(timer);
  timer = undefined;
  readSession().then(serverIsBack, () => serverIsDown(5));
}

export function serverIsBack(): void {
  const now = connection.get();
  if (!now.down) return;
  clearTimeout(timer);
  timer = undefined;
  connection.set({ ...now, down: false, recoveries: now.recoveries + 1 });
}

export function serverHasNewerBuild(): void {
  connection.set({ ...connection.get(), newerBuild: true });
}
