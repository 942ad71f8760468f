import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { cacheSecrets, SECRET_PREFIX } from '../../api/secrets';
import { Part } from '../../components/Part';
import { useLoad } from '../../components/useLoad';
import { t } from '../../messages';

export interface Credentials {
  kind: 'none' | 'existing' | 'new';
  arn: string;
  /** Of a new secret, without the prefix that all have. */
  name: string;
  username: string;
  token: string;
}

export const NO_CREDENTIALS: Credentials = { kind: 'none', arn: '', name: '', username: '', token: '' };

interface CredentialFieldsProps {
  value: Credentials;
  required: boolean;
  onChange: (value: Credentials) => void;
}

/** With what to log in to the upstream registry: nothing, a secret that exists, or a new one. */
export function CredentialFields({ value, required, onChange }: CredentialFieldsProps) {
  const change = (part: Partial<Credentials>) => onChange({ ...value, ...part });
  return (
    <SpaceBetween size="l">
      <FormField label={t('credentials.label')} description={t('credentials.why')}>
        <RadioGroup
          value={value.kind}
          onChange={(event) => change({ kind: event.detail.value as Credentials['kind'] })}
          items={[
            { value: 'none', label: t('credentials.none'), disabled: required },
            { value: 'existing', label: t('credentials.existing') },
            { value: 'new', label: t('credentials.new') },
          ]}
        />
      </FormField>
      {value.kind === 'existing' && <ExistingSecret arn={value.arn} onChange={(arn) => change({ arn })} />}
      {value.kind === 'new' && (
        <>
          <FormField label={t('credentials.name')} description={t('credentials.nameWhy', { prefix: SECRET_PREFIX })}>
            <Input value={value.name} spellcheck={false} onChange={(event) => change({ name: event.detail.value.trim() })} />
          </FormField>
          <FormField label={t('credentials.username')}>
            <Input value={value.username} autoComplete="off" spellcheck={false} onChange={(event) => change({ username: event.detail.value })} />
          </FormField>
          <FormField label={t('credentials.token')}>
            <Input type="password" value={value.token} autoComplete="off" onChange={(event) => change({ token: event.detail.value })} />
          </FormField>
        </>
      )}
    </SpaceBetween>
  );
}

function ExistingSecret({ arn, onChange }: { arn: string; onChange: (arn: string) => void }) {
  const secrets = useLoad('secrets for the cache', cacheSecrets);
  return (
    <Part of={secrets} lines={2}>
      {(found) => {
        const options = found.map(({ ARN = '', Name = '' }) => ({ value: ARN, label: Name }));
        return (
          <FormField label={t('credentials.secret')}>
            <Select
              options={options}
              selectedOption={options.find(({ value }) => value === arn) ?? null}
              placeholder={t('credentials.choose')}
              empty={t('credentials.noSecrets')}
              filteringType="auto"
              onChange={(event) => onChange(event.detail.selectedOption.value ?? '')}
            />
          </FormField>
        );
      }}
    </Part>
  );
}

export function areCompleteCredentials({ kind, arn, name, username, token }: Credentials): boolean {
  if (kind === 'existing') return arn !== '';
  return kind === 'none' || (name !== '' && username !== '' && token !== '');
}
