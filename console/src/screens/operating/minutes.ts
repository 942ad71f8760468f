import type { TrafficMinute } from '../../api/operating';

const MINUTE = 60; // seconds
const HOUR = 60; // minutes

/** All minutes of the hour that ends with the last one: the server leaves out those without requests. */
export function wholeHour(minutes: TrafficMinute[]): TrafficMinute[] {
  const known = new Map(minutes.map((minute) => [minute.beganAt, minute]));
  const last = Math.max(0, ...known.keys());
  return Array.from({ length: HOUR }, (_, index) => {
    const beganAt = last - (HOUR - 1 - index) * MINUTE;
    return known.get(beganAt) ?? { beganAt, requests: 0, clientErrors: 0, serverErrors: 0 };
  });
}
