import Badge from '@cloudscape-design/components/badge';
import Button from '@cloudscape-design/components/button';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { t } from '../messages';
import { Name } from './Name';

interface TagListProps {
  tags: string[];
  /** How many are shown at first. */
  first?: number;
  /** Offers to remove each tag. */
  onRemove?: (tag: string) => void;
}

const MORE = 100;

/** The tags of an image. An image may have a thousand, so the first ones are shown, and more when wanted. */
export function TagList({ tags, first = 4, onRemove }: TagListProps) {
  const [shown, setShown] = useState(first);
  if (tags.length === 0) return <>–</>;
  return (
    <SpaceBetween direction="horizontal" size="xxs">
      {tags.slice(0, shown).map((tag) => (
        <Badge key={tag} color="blue">
          <Name>{tag}</Name>
          {onRemove !== undefined && (
            <button type="button" className="remove" aria-label={t('tags.remove', { key: tag })} onClick={() => onRemove(tag)}>
              ×
            </button>
          )}
        </Badge>
      ))}
      {tags.length > shown && (
        <Button
          variant="inline-link"
          ariaLabel={t('image.moreTagsLabel', { count: tags.length - shown })}
          onClick={() => setShown(shown + MORE)}
        >
          {t('image.moreTags', { count: tags.length - shown })}
        </Button>
      )}
    </SpaceBetween>
  );
}
