import { surround } from '../api/client';
import { ApiError } from '../api/errors';
import { readSession, renewSession, type Session, type SignedIn, signInWithLink, signOut } from '../api/session';
import { serverHasNewerBuild, serverIsBack, serverIsDown } from './connection';
import { currentPlace, navigate, setQuery } from './router';
import { createStore, useStore } from './store';

/** The session, or `undefined` until the server was asked. */
export const session = createStore<Session | undefined>(undefined);
/** Whether the session ended while somebody worked, and a dialog lets them sign in again. */
export const ended = createStore(false);

/** Whether the page was opened by a link that was used before, or has expired. */
export const linkFailed = createStore(false);

let waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
/** The build that the server had when this page was loaded. */
let build: string | undefined;
let lastActivity = Date.now();
let renewal: ReturnType<typeof setTimeout> | undefined;

export function useSession(): SignedIn {
  const current = useStore(session);
  if (current?.signedIn !== true) throw new Error('Only screens behind the sign-in may use the session.');
  return current;
}

/** The chosen Region: that of the address if the session has it, otherwise the session's own. */
export function regionOf(current: Session | undefined): string {
  if (current?.signedIn !== true) return '';
  const wanted = currentPlace().query.get('region');
  return wanted !== null && current.regions.includes(wanted) ? wanted : current.region;
}

export function chooseRegion(name: string): void {
  setQuery({ region: name });
}

/** Take a session that the server returned. What waited for it continues. */
export function accept(next: Session): void {
  build ??= next.build;
  if (next.build !== build) serverHasNewerBuild();
  if (!next.signedIn && session.get()?.signedIn === true) {
    ended.set(true);
    return;
  }
  session.set(next);
  if (!next.signedIn) return;
  ended.set(false);
  waiting.forEach(({ resolve }) => resolve());
  waiting = [];
  planRenewal(next);
}

/** Close the dialog without a session: what waited fails. */
export function giveUp(): void {
  ended.set(false);
  waiting.forEach(({ reject }) => reject(new ApiError('SessionEnded', '', 401)));
  waiting = [];
}

export async function leave(): Promise<void> {
  await signOut();
  window.location.reload();
}

/** Renew the session when two thirds of it are over, if somebody used the page since. */
function planRenewal(current: SignedIn): void {
  clearTimeout(renewal);
  const left = current.expires * 1000 - Date.now();
  const begun = Date.now();
  renewal = setTimeout(
    () => {
      if (lastActivity < begun) return;
      renewSession().then(accept, () => undefined); // If it fails, the next request shows why.
    },
    Math.min(Math.max((left * 2) / 3, 10_000), 2 ** 31 - 1),
  );
}

function noteActivity(): void {
  lastActivity = Date.now();
}

/** Connect the client to the application, and ask for the session. */
export async function begin(): Promise<void> {
  for (const kind of ['pointerdown', 'keydown']) {
    window.addEventListener(kind, noteActivity, { passive: true });
  }
  surround({
    region: () => regionOf(session.get()),
    build: () => build ?? '',
    signedInAgain: () =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        ended.set(true);
      }),
    newerBuild: serverHasNewerBuild,
    unavailable: (error) => serverIsDown(error.retryAfter),
    available: serverIsBack,
  });
  accept((await sessionOfLink()) ?? (await readSession()));
}

/** The session of a link whose token is in the fragment of the address. The token leaves the address at once. */
async function sessionOfLink(): Promise<Session | undefined> {
  const token = window.location.pathname === '/console/sign-in' ? window.location.hash.slice(1) : '';
  if (token === '') return undefined;
  navigate('/', true);
  try {
    return await signInWithLink(token);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    linkFailed.set(true);
    return undefined;
  }
}
