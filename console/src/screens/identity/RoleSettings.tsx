import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';

import { t } from '../../messages';

export interface RoleDraft {
  description: string;
  /** The longest session, in minutes, as it was typed. */
  minutes: string;
}

const LEAST = 60;
const MOST = 720;

export function isValidSession(minutes: string): boolean {
  return /^\d+$/.test(minutes) && Number(minutes) >= LEAST && Number(minutes) <= MOST;
}

/** The settings of a role that are not policies. */
export function RoleSettings({ value, onChange }: { value: RoleDraft; onChange: (value: RoleDraft) => void }) {
  return (
    <>
      <FormField label={t('templates.description')} constraintText={t('state.optional')}>
        <Input value={value.description} onChange={(event) => onChange({ ...value, description: event.detail.value })} />
      </FormField>
      <FormField
        label={t('roles.session')}
        description={t('roles.sessionWhy')}
        constraintText={t('roles.sessionRule', { least: LEAST, most: MOST })}
        errorText={isValidSession(value.minutes) ? undefined : t('roles.sessionRule', { least: LEAST, most: MOST })}
      >
        <Input
          type="number"
          value={value.minutes}
          onChange={(event) => onChange({ ...value, minutes: event.detail.value })}
        />
      </FormField>
    </>
  );
}
