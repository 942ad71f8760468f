import { useEffect, useState } from 'react';

import { moorage } from '../../api/moorage';
import type { AccountUsage } from '../../api/operating';
import type { Scope } from './ScopeChoice';

const PAGE = 100;
/** Pages that are read at a time: a registry with more repositories is summed when somebody wants it. */
const PAGES_AT_A_TIME = 20;
const SUMMED = ['repositories', 'images', 'layers', 'bytes'] as const;

interface UsageSums {
  accounts: AccountUsage[];
  nextToken: string | undefined;
  /** Whether the sums are of all repositories. */
  isWhole: boolean;
  pages: number;
  /** At so many pages the reading stops. */
  limit: number;
  error: unknown;
}

const NOTHING: UsageSums = {
  accounts: [],
  nextToken: undefined,
  isWhole: false,
  pages: 0,
  limit: PAGES_AT_A_TIME,
  error: undefined,
};

/** Add the sums of a page to those of the pages before it. */
export function addSums(before: AccountUsage[], page: AccountUsage[]): AccountUsage[] {
  const sums = new Map(before.map((one) => [one.registryId, one]));
  for (const one of page) {
    const sum = { ...one };
    const earlier = sums.get(one.registryId);
    for (const name of SUMMED) sum[name] += earlier?.[name] ?? 0;
    sums.set(one.registryId, sum);
  }
  return [...sums.values()].sort((one, other) => one.registryId.localeCompare(other.registryId));
}

/**
 * The sums by account of all pages of the server, which are read one after the other. `readMore` continues after the
 * limit. The scope must not change: use a key.
 */
export function useUsageSums(scope: Scope): UsageSums & { loading: boolean; readMore: () => void } {
  const [sums, setSums] = useState(NOTHING);
  const loading = !sums.isWhole && sums.pages < sums.limit;
  useEffect(() => {
    if (!loading) return;
    const abort = new AbortController();
    const { accounts, nextToken, pages } = sums;
    moorage('ListUsage', { scope, maxResults: PAGE, ...(nextToken === undefined ? {} : { nextToken }) }, abort.signal).then(
      (answer) =>
        setSums({
          ...sums,
          accounts: addSums(accounts, answer.accounts),
          nextToken: answer.nextToken,
          isWhole: answer.nextToken === undefined,
          pages: pages + 1,
          error: undefined,
        }),
      (error: unknown) => {
        if (!abort.signal.aborted) setSums({ ...sums, limit: pages, error });
      },
    );
    return () => abort.abort();
  }, [loading, scope, sums]);
  return { ...sums, loading, readMore: () => setSums({ ...sums, limit: sums.pages + PAGES_AT_A_TIME }) };
}
