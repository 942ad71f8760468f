import Alert from '@cloudscape-design/components/alert';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tabs from '@cloudscape-design/components/tabs';
import { useState } from 'react';

import { iam } from '../../api/iam';
import type { ScreenParams } from '../../app/routes';
import { href, navigate } from '../../app/router';
import { useSession } from '../../app/session';
import { CopyText } from '../../components/CopyText';
import { DocumentEditor } from '../../components/DocumentEditor';
import { formatJson } from '../../components/json';
import { JsonEditor } from '../../components/JsonEditor';
import { Name } from '../../components/Name';
import { Part } from '../../components/Part';
import { Screen } from '../../components/Screen';
import { useDocument } from '../../components/useDocument';
import { useLoad } from '../../components/useLoad';
import { formatTime, t } from '../../messages';
import { DeletePolicy } from './DeletePolicy';
import { readPolicy } from './entity';
import { POLICIES, policyPath } from './paths';
import { examplePolicy, ownerOf } from './policies';
import { PolicyEntities } from './PolicyEntities';
import { PolicyVersions } from './PolicyVersions';

type PolicyTab = 'document' | 'versions' | 'attached';

const TABS: PolicyTab[] = ['document', 'versions', 'attached'];

/** A policy: its text. */
export function PolicyScreen({ params }: ScreenParams) {
  return <Policy arn={params.arn ?? ''} tab="document" />;
}

/** A policy: its versions. */
export function PolicyVersionList({ params }: ScreenParams) {
  return <Policy arn={params.arn ?? ''} tab="versions" />;
}

/** A policy: the users and roles that have it. */
export function PolicyUse({ params }: ScreenParams) {
  return <Policy arn={params.arn ?? ''} tab="attached" />;
}

function Policy({ arn, tab }: { arn: string; tab: PolicyTab }) {
  const [deleting, setDeleting] = useState(false);
  const policy = useLoad(`policy ${arn}`, async (signal) => (await iam('GetPolicy', { PolicyArn: arn }, signal)).Policy);
  const isOwn = ownerOf(arn) === 'Local';
  const name = arn.slice(arn.lastIndexOf('/') + 1);
  const pathOf = (id: string) => (id === 'document' ? policyPath(arn) : policyPath(arn, id));
  return (
    <Screen title={name} actions={isOwn ? <Button onClick={() => setDeleting(true)}>{t('action.delete')}</Button> : undefined}>
      <SpaceBetween size="l">
        <Container>
          <Part of={policy} lines={2}>
            {(one) => (
              <KeyValuePairs
                columns={3}
                items={[
                  { label: t('repository.arn'), value: <CopyText text={one.Arn} what={t('repository.arn')} /> },
                  { label: t('templates.description'), value: <Name>{one.Description ?? undefined}</Name> },
                  { label: t('templates.updated'), value: formatTime(one.UpdateDate) },
                ]}
              />
            )}
          </Part>
        </Container>
        <Tabs
          activeTabId={tab}
          ariaLabel={t('policies.parts')}
          onChange={(event) => navigate(pathOf(event.detail.activeTabId))}
          tabs={TABS.map((id) => ({
            id,
            label: t(`policies.tab.${id}`),
            href: href(pathOf(id)),
            content: id !== tab ? null : <Tab arn={arn} tab={id} isOwn={isOwn} />,
          }))}
        />
      </SpaceBetween>
      {deleting && (
        <DeletePolicy arn={arn} name={name} onClose={() => setDeleting(false)} onDeleted={() => navigate(POLICIES)} />
      )}
    </Screen>
  );
}

function Tab({ arn, tab, isOwn }: { arn: string; tab: PolicyTab; isOwn: boolean }) {
  if (tab === 'versions') return <PolicyVersions arn={arn} isOwn={isOwn} />;
  if (tab === 'attached') return <PolicyEntities arn={arn} />;
  return <Container>{isOwn ? <Editor arn={arn} /> : <ReadOnly arn={arn} />}</Container>;
}

function Editor({ arn }: { arn: string }) {
  const { account } = useSession();
  const document = useDocument({
    key: `text of ${arn}`,
    read: async (signal) => (await readPolicy(arn, signal)).text,
    write: async (text) => {
      await iam('CreatePolicyVersion', { PolicyArn: arn, PolicyDocument: text, SetAsDefault: true });
    },
  });
  return (
    <DocumentEditor
      document={document}
      label={t('policies.document')}
      description={t('policies.versionWhy')}
      template={examplePolicy(account)}
    />
  );
}

function ReadOnly({ arn }: { arn: string }) {
  const loaded = useLoad(`text of ${arn}`, (signal) => readPolicy(arn, signal));
  return (
    <Part of={loaded} lines={12}>
      {({ text }) => (
        <SpaceBetween size="m">
          <Alert type="info">{t('policies.readOnly')}</Alert>
          <JsonEditor label={t('policies.document')} value={formatJson(text)} readOnly />
        </SpaceBetween>
      )}
    </Part>
  );
}
