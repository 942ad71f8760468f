import { callJson } from './client';
import type { Repository } from './ecr';

export interface SearchRepositoriesRequest {
  /** Names that begin with it. */
  prefix?: string;
  sortBy?: 'NAME' | 'CREATED';
  sortOrder?: 'ASCENDING' | 'DESCENDING';
  maxResults?: number;
  nextToken?: string;
}

export interface SearchRepositoriesResponse {
  repositories?: Repository[];
  nextToken?: string;
}

/** Input and output of the operations of Moorage itself. */
export interface MoorageOperations {
  SearchRepositories: [SearchRepositoriesRequest, SearchRepositoriesResponse];
}

/** Call an operation of Moorage itself. */
export async function moorage<Name extends keyof MoorageOperations>(
  operation: Name,
  input: MoorageOperations[Name][0],
  signal?: AbortSignal,
): Promise<MoorageOperations[Name][1]> {
  return (await callJson(`Moorage_V1.${operation}`, input, signal)) as MoorageOperations[Name][1];
}
