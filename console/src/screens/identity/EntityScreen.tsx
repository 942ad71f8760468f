import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tabs from '@cloudscape-design/components/tabs';
import { type ReactNode, useState } from 'react';

import { href, navigate } from '../../app/router';
import { CopyText } from '../../components/CopyText';
import { Name } from '../../components/Name';
import { Part } from '../../components/Part';
import { Screen } from '../../components/Screen';
import type { Loaded } from '../../components/useLoad';
import { formatTime, t } from '../../messages';
import { DeleteEntity } from './DeleteEntity';
import { type Entity, entityPath } from './entity';
import { ROLES, USERS } from './paths';

export type EntityTab = 'policies' | 'keys' | 'trust' | 'settings';

interface Described {
  Arn: string;
  Path: string;
  CreateDate: number;
}

interface EntityScreenProps<T extends Described> {
  entity: Entity;
  loaded: Loaded<T>;
  tab: EntityTab;
  tabs: EntityTab[];
  /** The content of the tab. */
  children: ReactNode;
}

/** The frame of one user or role: what it is, and its tabs, which have addresses of their own. */
export function EntityScreen<T extends Described>({ entity, loaded, tab, tabs, children }: EntityScreenProps<T>) {
  const [deleting, setDeleting] = useState(false);
  const pathOf = (id: string) => (id === tabs[0] ? entityPath(entity) : entityPath(entity, id));
  return (
    <Screen title={entity.name} actions={<Button onClick={() => setDeleting(true)}>{t('action.delete')}</Button>}>
      <SpaceBetween size="l">
        <Container>
          <Part of={loaded} lines={2}>
            {({ Arn, Path, CreateDate }) => (
              <KeyValuePairs
                columns={3}
                items={[
                  { label: t('repository.arn'), value: <CopyText text={Arn} what={t('repository.arn')} /> },
                  { label: t('identity.path'), value: <Name>{Path}</Name> },
                  { label: t('repository.created'), value: formatTime(CreateDate) },
                ]}
              />
            )}
          </Part>
        </Container>
        <Tabs
          activeTabId={tab}
          ariaLabel={t('identity.parts')}
          onChange={(event) => navigate(pathOf(event.detail.activeTabId))}
          tabs={tabs.map((id) => ({
            id,
            label: t(`identity.tab.${id}`),
            href: href(pathOf(id)),
            content: id === tab ? children : null,
          }))}
        />
      </SpaceBetween>
      {deleting && (
        <DeleteEntity
          entity={entity}
          onClose={() => setDeleting(false)}
          onDeleted={() => navigate(entity.kind === 'user' ? USERS : ROLES)}
        />
      )}
    </Screen>
  );
}
