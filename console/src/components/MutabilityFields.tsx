import FormField from '@cloudscape-design/components/form-field';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';

import type { ImageTagMutabilityExclusionFilter, Repository } from '../api/ecr';
import { t } from '../messages';
import { TokenInput } from './TokenInput';

export interface Mutability {
  immutable: boolean;
  /** Tags for which the opposite holds; `*` stands for any characters. */
  exclusions: string[];
}

const FILTER = /^[0-9a-zA-Z._*-]{1,128}$/;
const MOST_FILTERS = 5;
const EXAMPLE = 'release-*';

/** The choice whether tags may be moved, with its exceptions. */
export function MutabilityFields({ value, onChange }: { value: Mutability; onChange: (value: Mutability) => void }) {
  const { immutable, exclusions } = value;
  return (
    <SpaceBetween size="m">
      <FormField label={t('mutability.label')}>
        <RadioGroup
          value={immutable ? 'IMMUTABLE' : 'MUTABLE'}
          onChange={(event) => onChange({ immutable: event.detail.value === 'IMMUTABLE', exclusions })}
          items={[
            { value: 'MUTABLE', label: t('mutability.MUTABLE'), description: t('mutability.mutableWhy') },
            { value: 'IMMUTABLE', label: t('mutability.IMMUTABLE'), description: t('mutability.immutableWhy') },
          ]}
        />
      </FormField>
      <TokenInput
        label={immutable ? t('mutability.exceptMutable') : t('mutability.exceptImmutable')}
        constraint={t('mutability.filters', { count: MOST_FILTERS })}
        errorText={t('mutability.filterWrong')}
        placeholder={EXAMPLE}
        values={exclusions}
        most={MOST_FILTERS}
        isValid={(text) => FILTER.test(text) && text.split('*').length <= 3}
        onChange={(filters) => onChange({ immutable, exclusions: filters })}
      />
    </SpaceBetween>
  );
}

interface MutabilitySettings {
  imageTagMutability: NonNullable<Repository['imageTagMutability']>;
  imageTagMutabilityExclusionFilters?: ImageTagMutabilityExclusionFilter[];
}

/** The choice as operations of ECR take it. */
export function mutabilitySettings({ immutable, exclusions }: Mutability): MutabilitySettings {
  if (exclusions.length === 0) return { imageTagMutability: immutable ? 'IMMUTABLE' : 'MUTABLE' };
  return {
    imageTagMutability: immutable ? 'IMMUTABLE_WITH_EXCLUSION' : 'MUTABLE_WITH_EXCLUSION',
    imageTagMutabilityExclusionFilters: exclusions.map((filter) => ({ filterType: 'WILDCARD', filter })),
  };
}

/** The choice that a repository or a template has. */
export function mutabilityOf(
  settings: Pick<Repository, 'imageTagMutability' | 'imageTagMutabilityExclusionFilters'>,
): Mutability {
  return {
    immutable: (settings.imageTagMutability ?? 'MUTABLE').startsWith('IMMUTABLE'),
    exclusions: (settings.imageTagMutabilityExclusionFilters ?? []).map(({ filter }) => filter),
  };
}
