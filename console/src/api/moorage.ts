import { callJson } from './client';
import type { OperatingOperations } from './operating';

/** Call an operation of Moorage's own operating API. */
export async function moorage<Name extends keyof OperatingOperations>(
  operation: Name,
  input: OperatingOperations[Name][0],
  signal?: AbortSignal,
): Promise<OperatingOperations[Name][1]> {
  return (await callJson(`Moorage_V1.${operation}`, input, signal)) as OperatingOperations[Name][1];
}
