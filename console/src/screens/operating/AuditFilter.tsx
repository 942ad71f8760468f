import Button from '@cloudscape-design/components/button';
import Checkbox from '@cloudscape-design/components/checkbox';
import ColumnLayout from '@cloudscape-design/components/column-layout';
import DateRangePicker, { type DateRangePickerProps } from '@cloudscape-design/components/date-range-picker';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { setQuery } from '../../app/router';
import { t } from '../../messages';
import { type AuditSearch, queryOf } from './auditSearch';
import { ScopeChoice } from './ScopeChoice';

const SECONDS = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800, month: 2_592_000, year: 31_536_000 };
const OPTIONS: DateRangePickerProps.RelativeOption[] = [
  { key: 'hour', amount: 1, unit: 'hour', type: 'relative' },
  { key: 'day', amount: 1, unit: 'day', type: 'relative' },
  { key: 'week', amount: 7, unit: 'day', type: 'relative' },
  { key: 'month', amount: 30, unit: 'day', type: 'relative' },
];

/** What audit records are searched for. The address changes when somebody searches, not while they type. */
export function AuditFilter({ search }: { search: AuditSearch }) {
  const [draft, setDraft] = useState(search);
  const address = JSON.stringify(search);
  const [taken, setTaken] = useState(address);
  if (taken !== address) {
    setTaken(address); // Somebody followed a link to another search.
    setDraft(search);
  }
  const change = (changed: Partial<AuditSearch>) => setDraft({ ...draft, ...changed });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setQuery(queryOf({ ...draft, eventName: draft.eventName.trim(), principal: draft.principal.trim() }));
      }}
    >
      <SpaceBetween size="s">
        <ScopeChoice />
        <ColumnLayout columns={3}>
          <FormField label={t('audit.range')}>
            <DateRangePicker
              value={rangeOf(draft)}
              placeholder={t('audit.anyTime')}
              relativeOptions={OPTIONS}
              isValidRange={isValid}
              onChange={(event) => change(timesOf(event.detail.value))}
            />
          </FormField>
          <FormField label={t('audit.event')}>
            <Input
              value={draft.eventName}
              placeholder={t('audit.eventExample')}
              spellcheck={false}
              onChange={(event) => change({ eventName: event.detail.value })}
            />
          </FormField>
          <FormField label={t('audit.principal')}>
            <Input
              value={draft.principal}
              placeholder={t('audit.principalExample')}
              spellcheck={false}
              onChange={(event) => change({ principal: event.detail.value })}
            />
          </FormField>
        </ColumnLayout>
        <SpaceBetween direction="horizontal" size="m" alignItems="center">
          <Button formAction="submit" iconName="search">
            {t('audit.search')}
          </Button>
          <Checkbox checked={draft.errorsOnly} onChange={(event) => change({ errorsOnly: event.detail.checked })}>
            {t('audit.errorsOnly')}
          </Checkbox>
        </SpaceBetween>
      </SpaceBetween>
    </form>
  );
}

function rangeOf({ last, from, to }: AuditSearch): DateRangePickerProps.Value | null {
  if (last !== undefined) {
    const option = OPTIONS.find(({ amount, unit }) => amount * SECONDS[unit] === last);
    return option ?? { type: 'relative', amount: Math.ceil(last / SECONDS.minute), unit: 'minute' };
  }
  if (from === undefined || to === undefined) return null;
  const iso = (seconds: number) => new Date(seconds * 1000).toISOString();
  return { type: 'absolute', startDate: iso(from), endDate: iso(to) };
}

function timesOf(value: DateRangePickerProps.Value | null): Pick<AuditSearch, 'last' | 'from' | 'to'> {
  if (value === null) return { last: undefined, from: undefined, to: undefined };
  if (value.type === 'relative') return { last: value.amount * SECONDS[value.unit], from: undefined, to: undefined };
  const seconds = (text: string) => new Date(text).getTime() / 1000;
  return { last: undefined, from: seconds(value.startDate), to: seconds(value.endDate) };
}

function isValid(value: DateRangePickerProps.Value | null): DateRangePickerProps.ValidationResult {
  if (value?.type !== 'absolute') return { valid: true };
  const inOrder = new Date(value.startDate) <= new Date(value.endDate); // A date that is missing is in no order.
  return inOrder ? { valid: true } : { valid: false, errorMessage: t('audit.wrongRange') };
}
