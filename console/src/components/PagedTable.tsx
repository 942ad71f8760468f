import Box from '@cloudscape-design/components/box';
import Pagination from '@cloudscape-design/components/pagination';
import Skeleton from '@cloudscape-design/components/skeleton';
import Table, { type TableProps } from '@cloudscape-design/components/table';
import type { ReactNode } from 'react';

import { t } from '../messages';
import { ErrorNote } from './ErrorNote';
import type { Pages } from './usePages';

interface PagedTableProps<T> {
  pages: Pages<T>;
  columns: TableProps.ColumnDefinition<T>[];
  label: string;
  header: ReactNode;
  filter?: ReactNode;
  empty: ReactNode;
  trackBy: (item: T) => string;
  selected?: T[];
  selectionType?: 'single' | 'multi';
  onSelect?: (items: T[]) => void;
  labelOf?: (item: T) => string;
  sortingColumn?: TableProps.SortingColumn<T>;
  sortingDescending?: boolean;
  onSort?: (detail: TableProps.SortingState<T>) => void;
  variant?: TableProps.Variant;
  /** How many rows of grey lines are shown while the first page loads. */
  rows?: number;
}

/** A table of which the server makes the pages: one can go to the next page, and back to those seen. */
export function PagedTable<T>(props: PagedTableProps<T>) {
  const { pages, columns, selectionType } = props;
  const waiting = pages.data === undefined && pages.loading;
  const failed = pages.error !== undefined && pages.data === undefined && !pages.loading;
  const items = waiting ? Array.from({ length: props.rows ?? 5 }, () => ({}) as T) : (pages.data?.items ?? []);
  return (
    <Table<T>
      variant={props.variant ?? 'container'}
      items={items}
      columnDefinitions={waiting ? columns.map(asSkeleton) : columns}
      {...(waiting ? {} : { trackBy: props.trackBy })}
      header={props.header}
      filter={props.filter}
      wrapLines
      resizableColumns={false}
      contentDensity="comfortable"
      empty={failed ? <ErrorNote error={pages.error} onRetry={pages.reload} /> : <Box textAlign="center">{props.empty}</Box>}
      pagination={pages.known > 1 ? <Pages pages={pages} /> : undefined}
      ariaLabels={{
        tableLabel: props.label,
        selectionGroupLabel: t('table.selection'),
        allItemsSelectionLabel: () => t('table.selectAll'),
        itemSelectionLabel: (_, item) => (waiting ? t('state.loading') : (props.labelOf?.(item) ?? '')),
      }}
      {...(selectionType === undefined ? {} : { selectionType })}
      isItemDisabled={() => waiting}
      {...(props.selected === undefined ? {} : { selectedItems: props.selected })}
      onSelectionChange={(event) => props.onSelect?.(event.detail.selectedItems)}
      {...(props.sortingColumn === undefined ? {} : { sortingColumn: props.sortingColumn })}
      sortingDescending={props.sortingDescending ?? false}
      onSortingChange={(event) => props.onSort?.(event.detail)}
    />
  );
}

function Pages<T>({ pages }: { pages: Pages<T> }) {
  return (
    <Pagination
      currentPageIndex={pages.index}
      pagesCount={pages.known}
      openEnd={pages.hasMore}
      onChange={(event) => pages.goTo(event.detail.currentPageIndex)}
    />
  );
}

function asSkeleton<T>(column: TableProps.ColumnDefinition<T>): TableProps.ColumnDefinition<T> {
  return { ...column, cell: () => <Skeleton variant="text-body-m" width="80%" /> };
}
