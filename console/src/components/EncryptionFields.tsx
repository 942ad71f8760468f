import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';

import type { EncryptionConfiguration } from '../api/ecr';
import { t } from '../messages';

interface EncryptionFieldsProps {
  value: EncryptionConfiguration;
  onChange: (value: EncryptionConfiguration) => void;
}

/** How stored layers are encrypted. It cannot be changed later. */
export function EncryptionFields({ value, onChange }: EncryptionFieldsProps) {
  return (
    <SpaceBetween size="m">
      <FormField label={t('encryption.label')} description={t('encryption.once')}>
        <RadioGroup
          value={value.encryptionType}
          onChange={(event) => onChange({ encryptionType: event.detail.value === 'KMS' ? 'KMS' : 'AES256' })}
          items={[
            { value: 'AES256', label: t('encryption.AES256'), description: t('encryption.aesWhy') },
            { value: 'KMS', label: t('encryption.KMS'), description: t('encryption.kmsWhy') },
          ]}
        />
      </FormField>
      {value.encryptionType === 'KMS' && (
        <FormField label={t('encryption.key')} constraintText={t('encryption.keyWhy')}>
          <Input
            value={value.kmsKey ?? ''}
            spellcheck={false}
            onChange={(event) => {
              const kmsKey = event.detail.value.trim();
              onChange({ encryptionType: 'KMS', ...(kmsKey === '' ? {} : { kmsKey }) });
            }}
          />
        </FormField>
      )}
    </SpaceBetween>
  );
}
