import AttributeEditor from '@cloudscape-design/components/attribute-editor';
import Input from '@cloudscape-design/components/input';

import type { Tag } from '../api/ecr';
import { t } from '../messages';

interface TagsEditorProps {
  tags: Tag[];
  onChange: (tags: Tag[]) => void;
}

const LIMIT = 50;

/** Rows of keys and values of resource tags. */
export function TagsEditor({ tags, onChange }: TagsEditorProps) {
  const change = (index: number, part: Partial<Tag>) =>
    onChange(tags.map((tag, at) => (at === index ? { ...tag, ...part } : tag)));
  return (
    <AttributeEditor<Tag>
      items={tags}
      empty={t('tags.none')}
      addButtonText={t('tags.add')}
      removeButtonText={t('action.remove')}
      removeButtonAriaLabel={(tag) => t('tags.remove', { key: tag.Key })}
      disableAddButton={tags.length >= LIMIT}
      additionalInfo={t('tags.limit', { count: LIMIT })}
      onAddButtonClick={() => onChange([...tags, { Key: '', Value: '' }])}
      onRemoveButtonClick={(event) => onChange(tags.filter((_, at) => at !== event.detail.itemIndex))}
      definition={[
        {
          label: t('tags.key'),
          control: (tag, index) => (
            <Input value={tag.Key} onChange={(event) => change(index, { Key: event.detail.value })} spellcheck={false} />
          ),
          errorText: (tag) => tagError(tag, tags),
        },
        {
          label: t('tags.value'),
          control: (tag, index) => (
            <Input value={tag.Value} onChange={(event) => change(index, { Value: event.detail.value })} spellcheck={false} />
          ),
        },
      ]}
    />
  );
}

function tagError(tag: Tag, all: Tag[]): string | undefined {
  if (tag.Key.startsWith('aws:')) return t('tags.reserved');
  if (tag.Key !== '' && all.filter(({ Key }) => Key === tag.Key).length > 1) return t('tags.twice');
  return undefined;
}

/** Whether the server would accept the tags: each has a key, and no key occurs twice. */
export function areValidTags(tags: Tag[]): boolean {
  return tags.every((tag) => tag.Key !== '' && tagError(tag, tags) === undefined);
}
