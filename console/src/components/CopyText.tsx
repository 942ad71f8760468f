import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard';

import { t } from '../messages';
import { Digest, Name } from './Name';

interface CopyTextProps {
  text: string | undefined;
  /** What is copied, for those who hear the page. */
  what: string;
  shorten?: boolean;
  /** Only the button, for tables. */
  iconOnly?: boolean;
}

/** A text with a button that copies it. */
export function CopyText({ text, what, shorten = false, iconOnly = false }: CopyTextProps) {
  if (text === undefined || text === '') return <>–</>;
  return (
    <CopyToClipboard
      variant={iconOnly ? 'icon' : 'inline'}
      textToCopy={text}
      textToDisplay={shorten ? <Digest>{text}</Digest> : <Name>{text}</Name>}
      copyButtonAriaLabel={t('action.copy', { what })}
      copySuccessText={t('action.copied')}
      copyErrorText={t('action.copyFailed')}
    />
  );
}

/** Lines for a terminal, with a button that copies them. */
export function Commands({ lines, what }: { lines: string[]; what: string }) {
  const text = lines.join('\n');
  return (
    <CopyToClipboard
      variant="inline"
      wrapText
      textToCopy={text}
      textToDisplay={<code className="code">{text}</code>}
      copyButtonAriaLabel={t('action.copy', { what })}
      copySuccessText={t('action.copied')}
      copyErrorText={t('action.copyFailed')}
    />
  );
}
