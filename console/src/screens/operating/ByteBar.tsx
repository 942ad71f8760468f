import { formatSize } from '../../messages';

const WIDTH = 100;

/** A size with a bar beside it, as long as its share of the largest. The bar says nothing that the number does not. */
export function ByteBar({ bytes, largest }: { bytes: number; largest: number }) {
  return (
    <div className="byte-bar">
      <svg viewBox={`0 0 ${WIDTH} 8`} preserveAspectRatio="none" aria-hidden="true">
        <rect className="byte-bar-all" width={WIDTH} height="8" />
        <rect className="byte-bar-share" width={largest === 0 ? 0 : (bytes / largest) * WIDTH} height="8" />
      </svg>
      <span>{formatSize(bytes)}</span>
    </div>
  );
}
