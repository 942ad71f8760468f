import Checkbox from '@cloudscape-design/components/checkbox';
import Container from '@cloudscape-design/components/container';
import ExpandableSection from '@cloudscape-design/components/expandable-section';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { ecr } from '../../api/client';
import { errorOf } from '../../api/errors';
import { notify } from '../../app/notifications';
import { navigate } from '../../app/router';
import type { ScreenParams } from '../../app/routes';
import { EncryptionFields } from '../../components/EncryptionFields';
import { JsonEditor } from '../../components/JsonEditor';
import { MutabilityFields } from '../../components/MutabilityFields';
import { Part } from '../../components/Part';
import { Screen } from '../../components/Screen';
import { SettingsForm } from '../../components/SettingsForm';
import { TagsEditor } from '../../components/TagsEditor';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { useLoad } from '../../components/useLoad';
import { nameOf, t } from '../../messages';
import { type AppliedFor, draftOf, EMPTY_TEMPLATE, isComplete, requestOf, type TemplateDraft } from './templateDraft';
import { TEMPLATES } from './Templates';

const CAUSES: AppliedFor[] = ['PULL_THROUGH_CACHE', 'REPLICATION', 'CREATE_ON_PUSH'];

export function CreateTemplate() {
  return (
    <Screen title={t('templates.create')}>
      <Fields saved={EMPTY_TEMPLATE} isNew />
    </Screen>
  );
}

export function EditTemplate({ params }: ScreenParams) {
  const prefix = params.prefix ?? '';
  const template = useLoad(`template ${prefix}`, async (signal) => {
    const answer = await ecr('DescribeRepositoryCreationTemplates', { prefixes: [prefix] }, signal);
    const found = answer.repositoryCreationTemplates?.find((one) => one.prefix === prefix);
    if (found === undefined) throw errorOf(404, { __type: 'TemplateNotFoundException', message: t('templates.gone') });
    return found;
  });
  return (
    <Screen title={t('templates.editTitle', { name: prefix })}>
      <Part of={template} lines={12}>
        {(found) => <Fields saved={draftOf(found)} isNew={false} />}
      </Part>
    </Screen>
  );
}

function Fields({ saved, isNew }: { saved: TemplateDraft; isNew: boolean }) {
  const [draft, setDraft, forget] = useDraft('template', saved);
  const action = useAction();
  const change = (part: Partial<TemplateDraft>) => setDraft({ ...draft, ...part });
  const save = async () => {
    const done = await action.run(async () => {
      const input = requestOf(draft, isNew);
      if (isNew) await ecr('CreateRepositoryCreationTemplate', input);
      else await ecr('UpdateRepositoryCreationTemplate', input);
    });
    if (!done) return;
    forget();
    notify('success', t('document.saved', { name: draft.prefix }));
    navigate(TEMPLATES);
  };
  return (
    <SettingsForm
      action={action}
      submitText={isNew ? t('templates.create') : t('action.save')}
      disabled={!isComplete(draft)}
      onSubmit={() => void save()}
      onCancel={() => navigate(TEMPLATES)}
    >
      <General draft={draft} change={change} isNew={isNew} />
      <Container header={<Header variant="h2">{t('templates.settings')}</Header>}>
        <SpaceBetween size="l">
          <MutabilityFields value={draft.mutability} onChange={(mutability) => change({ mutability })} />
          <EncryptionFields value={draft.encryption} onChange={(encryption) => change({ encryption })} />
          <FormField label={t('templates.role')} description={t('templates.roleWhy')}>
            <Input value={draft.role} spellcheck={false} onChange={(event) => change({ role: event.detail.value.trim() })} />
          </FormField>
        </SpaceBetween>
      </Container>
      <Container header={<Header variant="h2">{t('repository.tags')}</Header>}>
        <TagsEditor tags={draft.tags} onChange={(tags) => change({ tags })} />
      </Container>
      <ExpandableSection variant="container" headerText={t('permissions.repository')}>
        <JsonEditor
          label={t('permissions.repository')}
          value={draft.repositoryPolicy}
          onChange={(repositoryPolicy) => change({ repositoryPolicy })}
        />
      </ExpandableSection>
      <ExpandableSection variant="container" headerText={t('lifecycle.title')}>
        <JsonEditor
          label={t('lifecycle.title')}
          value={draft.lifecyclePolicy}
          onChange={(lifecyclePolicy) => change({ lifecyclePolicy })}
        />
      </ExpandableSection>
    </SettingsForm>
  );
}

interface GeneralProps {
  draft: TemplateDraft;
  change: (part: Partial<TemplateDraft>) => void;
  isNew: boolean;
}

function General({ draft, change, isNew }: GeneralProps) {
  return (
    <Container header={<Header variant="h2">{t('repository.general')}</Header>}>
      <SpaceBetween size="l">
        <FormField label={t('templates.prefix')} constraintText={t('templates.prefixWhy')}>
          <Input value={draft.prefix} disabled={!isNew} spellcheck={false} onChange={(event) => change({ prefix: event.detail.value.trim() })} />
        </FormField>
        <FormField label={t('templates.description')}>
          <Input value={draft.description} onChange={(event) => change({ description: event.detail.value })} />
        </FormField>
        <FormField label={t('templates.appliedFor')}>
          {CAUSES.map((cause) => (
            <Checkbox
              key={cause}
              checked={draft.appliedFor.includes(cause)}
              onChange={(event) =>
                change({
                  appliedFor: event.detail.checked
                    ? [...draft.appliedFor, cause]
                    : draft.appliedFor.filter((one) => one !== cause),
                })
              }
            >
              {nameOf('appliedFor', cause)}
            </Checkbox>
          ))}
        </FormField>
      </SpaceBetween>
    </Container>
  );
}
