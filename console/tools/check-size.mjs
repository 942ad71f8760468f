// Fail if the first view loads too much script. A first view is the entry, which has the first screen, what it imports,
// and one language.
import { readFileSync, rmSync, statSync } from 'node:fs';

const LIMIT = 330 * 1024; // bytes, gzip
const LANGUAGE = /messages\/(all\.de\.js|de\/common\.json)$/;

const target = new URL('../../src/moorage/console/static/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', target), 'utf-8'));

function closure(names) {
  const found = new Set();
  const visit = (name) => {
    if (found.has(name)) return;
    found.add(name);
    (manifest[name]?.imports ?? []).forEach(visit);
  };
  names.forEach(visit);
  return found;
}

const languages = Object.keys(manifest).filter((name) => LANGUAGE.test(name));
const chunks = [...closure(['index.html', ...languages])].map((name) => manifest[name].file);
const scripts = [...new Set(chunks)].filter((file) => file.endsWith('.js'));
const size = scripts.reduce((sum, file) => sum + statSync(new URL(`${file}.gz`, target)).size, 0);
console.log(`first view: ${scripts.length} scripts, ${(size / 1024).toFixed(1)} KiB gzip (limit ${LIMIT / 1024})`);
rmSync(new URL('.vite', target), { recursive: true });
if (size > LIMIT) process.exit(1);
