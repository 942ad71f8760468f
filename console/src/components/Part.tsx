import Skeleton from '@cloudscape-design/components/skeleton';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { ReactNode } from 'react';

import { t } from '../messages';
import { ErrorNote } from './ErrorNote';
import type { Loaded } from './useLoad';

interface PartProps<T> {
  of: Loaded<T>;
  /** How many lines the content will have, so that nothing jumps when it is there. */
  lines?: number;
  children: (data: T) => ReactNode;
}

/** A part of a screen that loads by itself: a skeleton, its own error, or the content. */
export function Part<T>({ of, lines = 3, children }: PartProps<T>) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error !== undefined && !of.loading) return <ErrorNote error={of.error} onRetry={of.reload} />;
  return <Lines count={lines} />;
}

/** Grey lines in the place of text that is loading. */
export function Lines({ count }: { count: number }) {
  return (
    <div role="status" aria-label={t('state.loading')}>
      <SpaceBetween size="s">
        {Array.from({ length: count }, (_, index) => (
          <Skeleton key={index} variant="text-body-m" width={index % 3 === 2 ? '60%' : '100%'} />
        ))}
      </SpaceBetween>
    </div>
  );
}
