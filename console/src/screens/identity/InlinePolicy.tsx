import Container from '@cloudscape-design/components/container';

import { isCode } from '../../api/errors';
import type { ScreenParams } from '../../app/routes';
import { useSession } from '../../app/session';
import { DocumentEditor } from '../../components/DocumentEditor';
import { Screen } from '../../components/Screen';
import { useDocument } from '../../components/useDocument';
import { t } from '../../messages';
import { deleteInline, type Entity, putInline, readInline } from './entity';
import { examplePolicy } from './policies';

/** A policy that only one user has. */
export function UserInlinePolicy({ params }: ScreenParams) {
  return <InlinePolicy entity={{ kind: 'user', name: params.name ?? '' }} policy={params.policy ?? ''} />;
}

/** A policy that only one role has. */
export function RoleInlinePolicy({ params }: ScreenParams) {
  return <InlinePolicy entity={{ kind: 'role', name: params.name ?? '' }} policy={params.policy ?? ''} />;
}

function InlinePolicy({ entity, policy }: { entity: Entity; policy: string }) {
  const { account } = useSession();
  const document = useDocument({
    key: `inline policy ${policy} of ${entity.kind} ${entity.name}`,
    read: async (signal) => {
      try {
        return await readInline(entity, policy, signal);
      } catch (error) {
        if (isCode(error, 'NoSuchEntity')) return '';
        throw error;
      }
    },
    write: (text) => putInline(entity, policy, text),
  });
  return (
    <Screen title={policy} description={t(`inline.of.${entity.kind}`, { name: entity.name })}>
      <Container>
        <DocumentEditor
          document={document}
          label={t('inline.document')}
          template={examplePolicy(account)}
          remove={() => deleteInline(entity, policy)}
        />
      </Container>
    </Screen>
  );
}
