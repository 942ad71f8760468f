import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';

import { ecr } from '../../api/client';
import type { Tag } from '../../api/ecr';
import { notify } from '../../app/notifications';
import type { ScreenParams } from '../../app/routes';
import { Lines, Part } from '../../components/Part';
import { SettingsForm } from '../../components/SettingsForm';
import { areValidTags, TagsEditor } from '../../components/TagsEditor';
import { useAction } from '../../components/useAction';
import { useDraft } from '../../components/useDraft';
import { useLoad } from '../../components/useLoad';
import { t } from '../../messages';
import { RepositoryScreen } from './RepositoryScreen';

/** The resource tags of a repository. */
export function RepositoryTags({ params }: ScreenParams) {
  return (
    <RepositoryScreen name={params.name ?? ''} tab="tags">
      {(repository) => (
        <Container header={<Header variant="h2">{t('repository.tags')}</Header>}>
          {repository?.repositoryArn === undefined ? <Lines count={4} /> : <TagsOf arn={repository.repositoryArn} />}
        </Container>
      )}
    </RepositoryScreen>
  );
}

function TagsOf({ arn }: { arn: string }) {
  const saved = useLoad(`tags ${arn}`, async (signal) => {
    const answer = await ecr('ListTagsForResource', { resourceArn: arn }, signal);
    return answer.tags ?? [];
  });
  return (
    <Part of={saved} lines={4}>
      {(tags) => <Editor key={JSON.stringify(tags)} arn={arn} saved={tags} onSaved={saved.reload} />}
    </Part>
  );
}

function Editor({ arn, saved, onSaved }: { arn: string; saved: Tag[]; onSaved: () => void }) {
  const [tags, setTags, forget] = useDraft('tags', saved);
  const action = useAction();
  const save = async () => {
    const done = await action.run(async () => {
      const kept = new Set(tags.map(({ Key }) => Key));
      const removed = saved.filter(({ Key }) => !kept.has(Key)).map(({ Key }) => Key);
      const changed = tags.filter((tag) => !saved.some(({ Key, Value }) => Key === tag.Key && Value === tag.Value));
      if (removed.length > 0) await ecr('UntagResource', { resourceArn: arn, tagKeys: removed });
      if (changed.length > 0) await ecr('TagResource', { resourceArn: arn, tags: changed });
    });
    if (!done) return;
    forget();
    notify('success', t('document.saved', { name: t('repository.tags') }));
    onSaved();
  };
  const isChanged = JSON.stringify(tags) !== JSON.stringify(saved);
  return (
    <SettingsForm
      action={action}
      submitText={t('action.save')}
      disabled={!isChanged || !areValidTags(tags)}
      onSubmit={() => void save()}
    >
      <TagsEditor tags={tags} onChange={setTags} />
    </SettingsForm>
  );
}
