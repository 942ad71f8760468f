import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SegmentedControl from '@cloudscape-design/components/segmented-control';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { regionOf, useSession } from '../../app/session';
import { SettingsForm } from '../../components/SettingsForm';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { t } from '../../messages';
import { type Asked, explain, type Question, type Verdict } from './explain';
import { Verdicts } from './Verdicts';

const ORDER: Question[] = ['pull', 'push', 'delete', 'other'];
const ACTION = /^[a-z-]+:[A-Za-z]+$/;
const ACTION_EXAMPLE = 'ecr:DescribeImages';
const RESOURCE_EXAMPLE = 'team/app';

interface Answer {
  asked: Asked;
  verdicts: Verdict[];
}

/** Ask whether a user or role may do something. With `repository`, the question is about that one. */
export function ExplainPanel({ repository }: { repository?: string }) {
  const session = useSession();
  const [asked, setAsked] = useDraft<Asked>('explain', { who: '', kind: 'user', question: 'pull', action: '', resource: repository ?? '' });
  const [answer, setAnswer] = useState<Answer>();
  const action = useAction();
  const change = (part: Partial<Asked>) => setAsked({ ...asked, ...part });
  const wrong = asked.action !== '' && !ACTION.test(asked.action);
  const isComplete = asked.who !== '' && asked.resource !== '' && (asked.question !== 'other' || (asked.action !== '' && !wrong));
  const ask = async () => {
    setAnswer(undefined);
    await action.run(async () => {
      const where = { account: session.account, region: regionOf(session) };
      setAnswer({ asked, verdicts: await explain(asked, where) });
    });
  };
  return (
    <SpaceBetween size="l">
      <SettingsForm action={action} submitText={t('explain.ask')} disabled={!isComplete} onSubmit={() => void ask()}>
        <SpaceBetween size="xs">
          <SegmentedControl
            label={t('explain.kind')}
            selectedId={asked.kind}
            options={[
              { id: 'user', text: t('entity.user') },
              { id: 'role', text: t('entity.role') },
            ]}
            onChange={(event) => change({ kind: event.detail.selectedId === 'role' ? 'role' : 'user' })}
          />
          <FormField label={t(`explain.who.${asked.kind}`)} constraintText={t('explain.whoRule')}>
            <Input value={asked.who} spellcheck={false} onChange={(event) => change({ who: event.detail.value.trim() })} />
          </FormField>
        </SpaceBetween>
        <FormField label={t('explain.question')}>
          <RadioGroup
            value={asked.question}
            items={ORDER.map((value) => ({ value, label: t(`explain.question.${value}`) }))}
            onChange={(event) => change({ question: event.detail.value as Question })}
          />
        </FormField>
        {asked.question === 'other' && (
          <FormField label={t('explain.action')} errorText={wrong ? t('explain.actionWrong') : undefined}>
            <Input
              value={asked.action}
              placeholder={ACTION_EXAMPLE}
              spellcheck={false}
              onChange={(event) => change({ action: event.detail.value.trim() })}
            />
          </FormField>
        )}
        {repository === undefined && (
          <FormField label={t('explain.resource')} constraintText={t('explain.resourceRule')}>
            <Input
              value={asked.resource}
              placeholder={RESOURCE_EXAMPLE}
              spellcheck={false}
              onChange={(event) => change({ resource: event.detail.value.trim() })}
            />
          </FormField>
        )}
      </SettingsForm>
      {answer !== undefined && <Verdicts asked={answer.asked} verdicts={answer.verdicts} />}
    </SpaceBetween>
  );
}
