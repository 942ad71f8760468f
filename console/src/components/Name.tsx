import { Fragment } from 'react';

/** A word that may be broken anywhere, so that no column becomes wider than the page. Shorter words stay whole. */
const LONG_WORD = /[^\s-]{24}/;
/** Behind these signs a long word is broken first. */
const PARTS = /(?<=[/.:@+_])/;

/** Text from outside, such as a name: isolated, because it may be written from right to left, and never markup. */
export function Name({ children = '–' }: { children: string | undefined }) {
  if (!LONG_WORD.test(children)) return <bdi className="name">{children}</bdi>;
  return (
    <bdi className="name long">
      {children.split(PARTS).map((part, index) => (
        <Fragment key={index}>
          {index > 0 && <wbr />}
          {part}
        </Fragment>
      ))}
    </bdi>
  );
}

/** A digest: its beginning, and the whole for those who copy it or hear the page. */
export function Digest({ children }: { children: string | undefined }) {
  if (children === undefined) return <>–</>;
  const [algorithm = '', value = ''] = children.split(':');
  if (value === '') return <Name>{children}</Name>;
  return <bdi className="digest" title={children}>{`${algorithm}:${value.slice(0, 12)}…`}</bdi>;
}
