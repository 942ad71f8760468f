// After the build: write NAME.gz beside each text file, so that the server compresses nothing.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const target = new URL('../../src/moorage/console/static/', import.meta.url).pathname;
const files = readdirSync(target, { recursive: true }).filter((name) => /^[^.].*\.(js|css|html|json|svg)$/.test(name));

for (const name of files) {
  const packed = gzipSync(readFileSync(join(target, name)), { level: 9 });
  packed[9] = 255; // The header's operating system: unknown, so that all machines write the same bytes.
  writeFileSync(join(target, `${name}.gz`), packed);
}
