import Container from '@cloudscape-design/components/container';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tiles from '@cloudscape-design/components/tiles';
import Wizard from '@cloudscape-design/components/wizard';
import { useState } from 'react';

import { ecr } from '../../api/client';
import { notify } from '../../app/notifications';
import { navigate } from '../../app/router';
import { useSession } from '../../app/session';
import { ErrorNote } from '../../components/ErrorNote';
import { Name } from '../../components/Name';
import { Screen } from '../../components/Screen';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { t } from '../../messages';
import { areCompleteCredentials, CredentialFields, type Credentials, NO_CREDENTIALS } from './CredentialFields';
import { credentialArn } from './credentialArn';
import { PREFIX, upstreamNamed, UPSTREAMS } from './upstreams';

interface Draft {
  upstream: string;
  url: string;
  prefix: string;
  upstreamPrefix: string;
  /** Of another registry of ECR. */
  role: string;
}

const EMPTY: Draft = { upstream: 'ecr-public', url: 'public.ecr.aws', prefix: 'ecr-public', upstreamPrefix: 'ROOT', role: '' };
const PATH = '/registry/pull-through-cache';

/** Create a pull-through cache rule, step by step. */
export function CreatePullThrough() {
  const [draft, setDraft, forget] = useDraft('pull-through', EMPTY);
  const [credentials, setCredentials] = useState<Credentials>(NO_CREDENTIALS); // Secrets are no draft.
  const [step, setStep] = useState(0);
  const [tried, setTried] = useState(false);
  const action = useAction();
  const upstream = upstreamNamed(draft.upstream);
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const required = upstream.credentials === 'required';
  const complete = [
    draft.url !== '',
    areCompleteCredentials(credentials) && !(required && credentials.kind === 'none'),
    PREFIX.test(draft.prefix) && PREFIX.test(draft.upstreamPrefix),
  ];
  const incomplete = (index: number) => (tried && complete[index] === false ? t('pullThrough.incomplete') : undefined);
  const create = async () => {
    const done = await action.run(async () => {
      const arn = await credentialArn(credentials);
      if (arn !== undefined) setCredentials({ ...NO_CREDENTIALS, kind: 'existing', arn });
      await ecr('CreatePullThroughCacheRule', {
        ecrRepositoryPrefix: draft.prefix,
        upstreamRegistryUrl: draft.url,
        upstreamRepositoryPrefix: draft.upstreamPrefix,
        ...(upstream.name === 'other' ? {} : { upstreamRegistry: upstream.name }),
        ...(arn === undefined ? {} : { credentialArn: arn }),
        ...(draft.role === '' ? {} : { customRoleArn: draft.role }),
      });
    });
    if (!done) return;
    forget();
    notify('success', t('document.saved', { name: draft.prefix }));
    navigate(PATH);
  };
  return (
    <Screen title={t('pullThrough.add')}>
      <Wizard
        activeStepIndex={step}
        isLoadingNextStep={action.busy}
        submitButtonText={t('action.create')}
        onNavigate={({ detail }) => {
          // Back is always possible, forward only over complete steps.
          const blocked = complete.findIndex((isComplete) => !isComplete);
          const target = blocked === -1 ? detail.requestedStepIndex : Math.min(detail.requestedStepIndex, blocked);
          setTried(target !== detail.requestedStepIndex);
          setStep(target);
        }}
        onCancel={() => navigate(PATH)}
        onSubmit={() => void create()}
        steps={[
          {
            title: t('pullThrough.stepSource'),
            errorText: incomplete(0),
            content: <Source draft={draft} change={change} onUpstream={setCredentials} />,
          },
          {
            title: t('pullThrough.stepAuthentication'),
            errorText: incomplete(1),
            content: (
              <Container>
                <CredentialFields value={credentials} required={required} onChange={setCredentials} />
              </Container>
            ),
          },
          {
            title: t('pullThrough.stepDestination'),
            errorText: incomplete(2),
            content: <Destination draft={draft} change={change} />,
          },
          {
            title: t('pullThrough.stepReview'),
            content: (
              <SpaceBetween size="l">
                <Review draft={draft} credentials={credentials} />
                <ErrorNote error={action.error} />
              </SpaceBetween>
            ),
          },
        ]}
      />
    </Screen>
  );
}

interface StepProps {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
}

function Source({ draft, change, onUpstream }: StepProps & { onUpstream: (credentials: Credentials) => void }) {
  const upstream = upstreamNamed(draft.upstream);
  return (
    <Container header={<Header variant="h2">{t('pullThrough.upstream')}</Header>}>
      <SpaceBetween size="l">
        <Tiles
          ariaLabel={t('pullThrough.upstream')}
          columns={3}
          value={draft.upstream}
          items={UPSTREAMS.map(({ name, brand, url }) => ({
            value: name,
            label: brand === '' ? t('pullThrough.other') : brand,
            description: url,
          }))}
          onChange={(event) => {
            const chosen = upstreamNamed(event.detail.value);
            change({ upstream: chosen.name, url: chosen.url, prefix: chosen.prefix });
            onUpstream({ ...NO_CREDENTIALS, kind: chosen.credentials === 'required' ? 'existing' : 'none' });
          }}
        />
        {upstream.url === '' && (
          <FormField label={t('pullThrough.url')} constraintText={t('pullThrough.urlWhy')}>
            <Input value={draft.url} spellcheck={false} onChange={(event) => change({ url: event.detail.value.trim() })} />
          </FormField>
        )}
        {upstream.name === 'ecr' && (
          <FormField label={t('pullThrough.role')} description={t('pullThrough.roleWhy')}>
            <Input value={draft.role} spellcheck={false} onChange={(event) => change({ role: event.detail.value.trim() })} />
          </FormField>
        )}
      </SpaceBetween>
    </Container>
  );
}

function Destination({ draft, change }: StepProps) {
  const { registryHost } = useSession();
  const wrong = (text: string) => (text === '' || PREFIX.test(text) ? undefined : t('pullThrough.prefixWrong'));
  const image = `${registryHost}/${draft.prefix === 'ROOT' ? '' : `${draft.prefix}/`}NAME`;
  const source = `${draft.url}/${draft.upstreamPrefix === 'ROOT' ? '' : `${draft.upstreamPrefix}/`}NAME`;
  return (
    <Container header={<Header variant="h2">{t('pullThrough.stepDestination')}</Header>}>
      <SpaceBetween size="l">
        <FormField label={t('pullThrough.prefix')} constraintText={t('pullThrough.rootWhy')} errorText={wrong(draft.prefix)}>
          <Input value={draft.prefix} spellcheck={false} onChange={(event) => change({ prefix: event.detail.value.trim() })} />
        </FormField>
        <FormField label={t('pullThrough.upstreamPrefix')} constraintText={t('pullThrough.upstreamRootWhy')} errorText={wrong(draft.upstreamPrefix)}>
          <Input value={draft.upstreamPrefix} spellcheck={false} onChange={(event) => change({ upstreamPrefix: event.detail.value.trim() })} />
        </FormField>
        <Name>{t('pullThrough.example', { image, source })}</Name>
      </SpaceBetween>
    </Container>
  );
}

function Review({ draft, credentials }: { draft: Draft; credentials: Credentials }) {
  const secret = { none: t('credentials.none'), existing: credentials.arn, new: credentials.name }[credentials.kind];
  return (
    <Container header={<Header variant="h2">{t('pullThrough.stepReview')}</Header>}>
      <KeyValuePairs
        columns={2}
        items={[
          { label: t('pullThrough.upstream'), value: <Name>{draft.url}</Name> },
          { label: t('pullThrough.credentials'), value: <Name>{secret}</Name> },
          { label: t('pullThrough.prefix'), value: <Name>{draft.prefix}</Name> },
          { label: t('pullThrough.upstreamPrefix'), value: <Name>{draft.upstreamPrefix}</Name> },
        ]}
      />
    </Container>
  );
}
