import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import type { ReactNode } from 'react';

import { notify } from '../../app/notifications';
import { SettingsForm } from '../../components/SettingsForm';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { t } from '../../messages';

interface RulesEditorProps<Rule> {
  /** What the rules are about, for the message that they are saved. */
  title: string;
  /** The rules at the server. Use them as a key, so that the editor begins again with other ones. */
  saved: Rule[];
  /** What is said when there are no rules. */
  none: string;
  most: number;
  /** What a new rule begins with. */
  blank: Rule;
  isComplete: (rule: Rule) => boolean;
  write: (rules: Rule[]) => Promise<void>;
  onSaved: () => void;
  /** The fields of a rule. */
  children: (rule: Rule, onChange: (rule: Rule) => void) => ReactNode;
}

/** A form for the rules of a registry: each can be changed and removed, others added, and all are saved together. */
export function RulesEditor<Rule>(props: RulesEditorProps<Rule>) {
  const { title, saved, isComplete, children } = props;
  const [rules, setRules, forget] = useDraft(title, saved);
  const action = useAction();
  const save = async () => {
    if (!(await action.run(() => props.write(rules)))) return;
    forget();
    notify('success', t('document.saved', { name: title }));
    props.onSaved();
  };
  return (
    <SettingsForm
      action={action}
      submitText={t('action.save')}
      disabled={JSON.stringify(rules) === JSON.stringify(saved) || !rules.every(isComplete)}
      onSubmit={() => void save()}
    >
      {rules.length === 0 && <Box color="text-body-secondary">{props.none}</Box>}
      {rules.map((rule, index) => (
        <Container
          key={index}
          header={
            <Header
              variant="h3"
              actions={
                <Button
                  formAction="none"
                  onClick={() => setRules(rules.filter((_, at) => at !== index))}
                  ariaLabel={t('replication.removeRule', { number: index + 1 })}
                >
                  {t('action.remove')}
                </Button>
              }
            >
              {t('replication.rule', { number: index + 1 })}
            </Header>
          }
        >
          {children(rule, (changed) => setRules(rules.map((one, at) => (at === index ? changed : one))))}
        </Container>
      ))}
      <Button
        formAction="none"
        iconName="add-plus"
        disabled={rules.length >= props.most}
        onClick={() => setRules([...rules, props.blank])}
      >
        {t('replication.addRule')}
      </Button>
    </SettingsForm>
  );
}
