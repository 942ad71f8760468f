import type { SearchAuditRecordsRequest } from '../../api/operating';

/** A search of audit records, as it is in the address of the screen. */
export interface AuditSearch {
  eventName: string;
  principal: string;
  errorsOnly: boolean;
  /** Seconds before now, if the range ends now. */
  last: number | undefined;
  /** Seconds since the Unix epoch. */
  from: number | undefined;
  to: number | undefined;
}

/** The search of an address. */
export function searchOf(query: URLSearchParams): AuditSearch {
  return {
    eventName: query.get('event') ?? '',
    principal: query.get('principal') ?? '',
    errorsOnly: query.get('errors') === 'only',
    last: numberOf(query.get('last')),
    from: numberOf(query.get('from')),
    to: numberOf(query.get('to')),
  };
}

/** The parameters of the address of a search. */
export function queryOf(search: AuditSearch): Record<string, string | undefined> {
  return {
    event: search.eventName,
    principal: search.principal,
    errors: search.errorsOnly ? 'only' : undefined,
    last: search.last?.toString(),
    from: search.from?.toString(),
    to: search.to?.toString(),
  };
}

/** The members of a request. `now` is in seconds since the Unix epoch. */
export function requestOf(search: AuditSearch, now: number): SearchAuditRecordsRequest {
  const { eventName, principal, errorsOnly, last, from, to } = search;
  const start = last === undefined ? from : now - last;
  return {
    ...(eventName === '' ? {} : { eventName }),
    ...(principal === '' ? {} : { principal }),
    ...(errorsOnly ? { errorsOnly } : {}),
    ...(start === undefined ? {} : { startTime: start }),
    ...(last !== undefined || to === undefined ? {} : { endTime: to }),
  };
}

function numberOf(text: string | null): number | undefined {
  const number = Number(text ?? '');
  return text === null || text === '' || !Number.isFinite(number) ? undefined : number;
}
