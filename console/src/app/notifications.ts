import { createStore } from './store';

export interface Notification {
  id: string;
  type: 'success' | 'error' | 'info' | 'warning';
  content: string;
}

export const notifications = createStore<Notification[]>([]);

let last = 0;

/** Show a message above the screen until it is dismissed. At most five are kept. */
export function notify(type: Notification['type'], content: string): void {
  last += 1;
  notifications.set([{ id: `n${last}`, type, content }, ...notifications.get()].slice(0, 5));
}

export function dismiss(id: string): void {
  notifications.set(notifications.get().filter((notification) => notification.id !== id));
}
