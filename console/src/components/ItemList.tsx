import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { TableProps } from '@cloudscape-design/components/table';
import type { ReactNode } from 'react';

import { t } from '../messages';
import { PagedTable } from './PagedTable';
import { Screen } from './Screen';
import type { Pages } from './usePages';

interface ItemListProps<T> {
  title: string;
  description: string;
  /** The heading of the table. */
  heading: string;
  pages: Pages<T>;
  columns: TableProps.ColumnDefinition<T>[];
  /** What names an item: for those who hear the page. Rows that load have no members yet. */
  nameOf: (item: T) => string;
  trackBy?: (item: T) => string;
  selected: T | undefined;
  onSelect: (item: T | undefined) => void;
  empty: string;
  rows?: number;
  filter?: ReactNode;
  /** The buttons beside the one that loads the list again. Who may not read the list sees none. */
  actions: ReactNode;
  /** The dialogs of the screen. */
  children?: ReactNode;
}

/** A screen that lists items of which one can be chosen, with what can be done with it. */
export function ItemList<T>(props: ItemListProps<T>) {
  const { pages, selected, title } = props;
  return (
    <Screen title={title} description={props.description}>
      <PagedTable
        pages={pages}
        label={title}
        columns={props.columns}
        trackBy={props.trackBy ?? props.nameOf}
        labelOf={props.nameOf}
        selectionType="single"
        selected={selected === undefined ? [] : [selected]}
        onSelect={(items) => props.onSelect(items[0])}
        empty={props.empty}
        filter={props.filter}
        {...(props.rows === undefined ? {} : { rows: props.rows })}
        header={
          <Header
            variant="h2"
            actions={
              pages.refused ? undefined : (
                <SpaceBetween direction="horizontal" size="xs">
                  <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />
                  {props.actions}
                </SpaceBetween>
              )
            }
          >
            {props.heading}
          </Header>
        }
      />
      {props.children}
    </Screen>
  );
}
