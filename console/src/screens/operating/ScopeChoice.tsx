import SegmentedControl from '@cloudscape-design/components/segmented-control';

import { setQuery, usePlace } from '../../app/router';
import { t } from '../../messages';

export type Scope = 'ACCOUNT' | 'SERVER';

/** The scope of a screen, which is in its address. */
export function useScope(): Scope {
  return usePlace().query.get('scope') === 'server' ? 'SERVER' : 'ACCOUNT';
}

/** Choose between what is of the account and what is of the whole server. */
export function ScopeChoice() {
  return (
    <SegmentedControl
      label={t('scope.label')}
      selectedId={useScope()}
      options={[
        { id: 'ACCOUNT', text: t('scope.account') },
        { id: 'SERVER', text: t('scope.server') },
      ]}
      onChange={(event) => setQuery({ scope: event.detail.selectedId === 'SERVER' ? 'server' : undefined })}
    />
  );
}
