import { createHash } from 'node:crypto';

import type { Plugin } from 'vite';

const FONT = /url\(["']?data:font\/woff2;base64,([^"')]+)["']?\)/;
const FACE = /@font-face\s*\{[^}]*\}/g;
/** The faces that every screen shows: loaded with the style sheet instead of after it. */
const FIRST = ['400', '700'];

/**
 * The design system has its fonts inside of its style sheet, and a page is not shown before that has come. This plugin
 * makes files of them, which load beside it.
 */
export function fontFiles(base: string): Plugin {
  const first = new Set<string>();
  return {
    name: 'font-files',
    enforce: 'post',
    generateBundle(_, bundle) {
      for (const asset of Object.values(bundle)) {
        if (asset.type !== 'asset' || !asset.fileName.endsWith('.css')) continue;
        asset.source = String(asset.source).replaceAll(FACE, (face) => {
          const data = FONT.exec(face)?.[1];
          if (data === undefined) return face;
          const source = Buffer.from(data, 'base64');
          const hash = createHash('sha256').update(source).digest('hex').slice(0, 8);
          const fileName = `assets/open-sans-${hash}.woff2`;
          this.emitFile({ type: 'asset', fileName, source });
          if (isFirst(face)) first.add(`${base}${fileName}`);
          return face.replace(FONT, `url(${base}${fileName})`).replace('{', '{font-display:swap;');
        });
      }
      const html = bundle['index.html'];
      if (html?.type !== 'asset') throw new Error('The build has no index.html.');
      const links = [...first].sort().map((path) => `<link rel="preload" as="font" type="font/woff2" crossorigin href="${path}">`);
      html.source = String(html.source).replace('<script', `${links.join('\n    ')}\n    <script`);
    },
  };
}

const isFirst = (face: string): boolean =>
  !face.includes('italic') && FIRST.some((weight) => new RegExp(`font-weight:\\s*${weight}\\b`).test(face));
