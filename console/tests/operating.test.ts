import { describe, expect, test } from 'vitest';

import { queryOf, requestOf, searchOf } from '../src/screens/operating/auditSearch';
import { wholeHour } from '../src/screens/operating/minutes';
import { addSums } from '../src/screens/operating/usageSums';

describe('a search of audit records', () => {
  const address = new URLSearchParams('event=PutImage&principal=ci&errors=only&last=3600&from=x');

  test('is in the address, and comes back from it', () => {
    const search = searchOf(address);
    expect(search).toEqual({ eventName: 'PutImage', principal: 'ci', errorsOnly: true, last: 3600, from: undefined, to: undefined });
    expect(queryOf(search)).toEqual({ event: 'PutImage', principal: 'ci', errors: 'only', last: '3600', from: undefined, to: undefined });
  });

  test('that ends now begins before now', () => {
    expect(requestOf(searchOf(address), 10_000)).toEqual({
      eventName: 'PutImage',
      principal: 'ci',
      errorsOnly: true,
      startTime: 6400,
    });
  });

  test('has both ends of a range, and nothing that nobody asked for', () => {
    expect(requestOf(searchOf(new URLSearchParams('from=5&to=7')), 10_000)).toEqual({ startTime: 5, endTime: 7 });
    expect(requestOf(searchOf(new URLSearchParams()), 10_000)).toEqual({});
  });
});

test('an hour of traffic has the minutes without requests, too', () => {
  const minute = (beganAt: number, requests: number) => ({ beganAt, requests, clientErrors: 0, serverErrors: 0 });
  const hour = wholeHour([minute(72_000, 3), minute(72_120, 5)]);
  expect(hour).toHaveLength(60);
  expect(hour[0]?.beganAt).toBe(72_120 - 59 * 60);
  expect(hour.slice(-3)).toEqual([minute(72_000, 3), minute(72_060, 0), minute(72_120, 5)]);
});

describe('the sums by account', () => {
  const page = (registryId: string, bytes: number) => ({ registryId, repositories: 1, images: 2, layers: 3, bytes });

  test('are of all pages, in the order of the accounts', () => {
    const sums = [[page('2', 10)], [page('1', 5)], [page('2', 7)]].reduce(addSums, []);

    expect(sums).toEqual([page('1', 5), { registryId: '2', repositories: 2, images: 4, layers: 6, bytes: 17 }]);
  });
});
