import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import TokenGroup from '@cloudscape-design/components/token-group';
import { useState } from 'react';

import { t } from '../messages';

interface TokenInputProps {
  label: string;
  constraint: string;
  errorText: string;
  placeholder: string;
  values: string[];
  most: number;
  isValid: (text: string) => boolean;
  onChange: (values: string[]) => void;
}

/** A list of short texts, such as filters: one is typed and added, and each can be removed. */
export function TokenInput({ label, constraint, errorText, placeholder, values, most, isValid, onChange }: TokenInputProps) {
  const [text, setText] = useState('');
  const wrong = text !== '' && (!isValid(text) || values.includes(text));
  const canAdd = text !== '' && !wrong && values.length < most;
  const add = () => {
    if (!canAdd) return;
    onChange([...values, text]);
    setText('');
  };
  return (
    <SpaceBetween size="xs">
      <FormField
        label={label}
        constraintText={constraint}
        errorText={wrong ? errorText : undefined}
        secondaryControl={
          <Button formAction="none" onClick={add} disabled={!canAdd} ariaLabel={`${t('action.add')}: ${label}`}>
            {t('action.add')}
          </Button>
        }
      >
        <Input
          value={text}
          placeholder={placeholder}
          spellcheck={false}
          onChange={(event) => setText(event.detail.value)}
          onKeyDown={(event) => {
            if (event.detail.key !== 'Enter' || text === '') return;
            event.preventDefault(); // Enter adds the text instead of sending the form.
            add();
          }}
        />
      </FormField>
      <TokenGroup
        items={values.map((value) => ({ label: value, dismissLabel: `${t('action.remove')} ${value}` }))}
        onDismiss={(event) => onChange(values.filter((_, at) => at !== event.detail.itemIndex))}
      />
    </SpaceBetween>
  );
}
