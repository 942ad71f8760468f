/** Text from outside, such as a name: isolated, because it may be written from right to left, and never markup. */
export function Name({ children = '–' }: { children: string | undefined }) {
  return <bdi className={LONG_WORD.test(children) ? 'name long' : 'name'}>{children}</bdi>;
}

/** A word that may be broken anywhere, so that no column becomes wider than the page. Shorter words stay whole. */
const LONG_WORD = /[^\s-]{24}/;

/** A digest: its beginning, and the whole for those who copy it or hear the page. */
export function Digest({ children }: { children: string | undefined }) {
  if (children === undefined) return <>–</>;
  const [algorithm = '', value = ''] = children.split(':');
  return (
    <bdi className="digest" title={children}>
      {value === '' ? children : `${algorithm}:${value.slice(0, 12)}…`}
    </bdi>
  );
}
