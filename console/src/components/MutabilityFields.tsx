import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import TokenGroup from '@cloudscape-design/components/token-group';
import { useState } from 'react';

import type { ImageTagMutabilityExclusionFilter, Repository } from '../api/ecr';
import { t } from '../messages';

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
  const [text, setText] = useState('');
  const { immutable, exclusions } = value;
  const wrong = text !== '' && (!FILTER.test(text) || text.split('*').length > 3 || exclusions.includes(text));
  const add = () => {
    onChange({ immutable, exclusions: [...exclusions, text] });
    setText('');
  };
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
      <FormField
        label={immutable ? t('mutability.exceptMutable') : t('mutability.exceptImmutable')}
        constraintText={t('mutability.filters', { count: MOST_FILTERS })}
        errorText={wrong ? t('mutability.filterWrong') : undefined}
        secondaryControl={
          <Button formAction="none" onClick={add} disabled={text === '' || wrong || exclusions.length >= MOST_FILTERS}>
            {t('action.add')}
          </Button>
        }
      >
        <Input value={text} onChange={(event) => setText(event.detail.value)} placeholder={EXAMPLE} spellcheck={false} />
      </FormField>
      <TokenGroup
        items={exclusions.map((filter) => ({ label: filter, dismissLabel: `${t('action.remove')} ${filter}` }))}
        onDismiss={(event) =>
          onChange({ immutable, exclusions: exclusions.filter((_, at) => at !== event.detail.itemIndex) })
        }
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
