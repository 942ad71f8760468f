import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const SOURCE = join(import.meta.dirname, '..', 'src');
const MESSAGES = join(SOURCE, 'messages');
/** Properties and attributes whose value a person reads or hears. */
const VISIBLE =
  /^(label|header|title|text|description|placeholder|content|empty|constraintText|errorText|loadingText|ariaLabel|alt|tableLabel|dismissLabel|emptyText|secondaryText|filteringPlaceholder|addButtonText|removeButtonText|.*(ButtonText|AriaLabel|Label))$/;
/** Texts that no language translates: the product's name, and signs. */
const UNTRANSLATED = new Set(['Moorage']);

interface Found {
  literals: string[];
  keys: Set<string>;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf-8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(folder, name));
}

const hasWords = (text: string): boolean => /\p{L}{2}/u.test(text) && !UNTRANSLATED.has(text.trim());

function isText(node: ts.Node): node is ts.StringLiteral | ts.NoSubstitutionTemplateLiteral {
  return ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node);
}

function search(path: string, found: Found): void {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf-8'), ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const report = (node: ts.Node, text: string) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    found.literals.push(`${path.slice(SOURCE.length + 1)}:${line + 1}: ${text.trim()}`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node) && hasWords(node.text)) report(node, node.text);
    if (isText(node) && isVisible(node) && hasWords(node.text)) report(node, node.text);
    if (isText(node)) found.keys.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/** Whether a literal is what a person reads: a child of markup, or the value of a property such as `label`. */
function isVisible(node: ts.Node): boolean {
  let at = node.parent;
  while (ts.isConditionalExpression(at) || ts.isBinaryExpression(at) || ts.isJsxExpression(at)) {
    if (ts.isJsxExpression(at) && (ts.isJsxElement(at.parent) || ts.isJsxFragment(at.parent))) return true;
    if (ts.isBinaryExpression(at) && at.operatorToken.kind !== ts.SyntaxKind.QuestionQuestionToken) return false;
    at = at.parent;
  }
  if (ts.isJsxAttribute(at)) return VISIBLE.test(at.name.getText());
  return ts.isPropertyAssignment(at) && VISIBLE.test(at.name.getText());
}

/** The texts of a language, by topic. */
function textsOf(language: string): Map<string, Record<string, string>> {
  const read = (name: string) => JSON.parse(readFileSync(join(MESSAGES, language, name), 'utf-8')) as Record<string, string>;
  return new Map(readdirSync(join(MESSAGES, language)).map((name) => [name.replace('.json', ''), read(name)]));
}

/** The files that a file loads, and what those load: without the screens, which load their own texts. */
function loadedBy(root: string): Set<string> {
  const loaded = new Set<string>();
  const visit = (path: string) => {
    if (loaded.has(path) || path.endsWith('screens.ts')) return;
    loaded.add(path);
    for (const [, name = ''] of readFileSync(path, 'utf-8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const file = [`${name}.tsx`, `${name}.ts`, `${name}/index.ts`].map((one) => join(path, '..', one)).find((one) => existsSync(one));
      if (file !== undefined) visit(file);
    }
  };
  visit(root);
  return loaded;
}

const english = textsOf('en');
const merged = (texts: typeof english): Record<string, string> => Object.fromEntries([...texts.values()].flatMap((one) => Object.entries(one)));
const en = merged(english);
const de = merged(textsOf('de'));

/** The module of each screen, and the topic that is loaded with it. What is loaded at first has `common` alone. */
function* screens(): Generator<{ file: string; topic: string }> {
  yield { file: join(SOURCE, 'main.tsx'), topic: 'common' };
  for (const path of filesBelow(SOURCE).filter((name) => name.endsWith('screens.ts'))) {
    const text = readFileSync(path, 'utf-8');
    for (const [, topic = '', name = ''] of text.matchAll(/screen\('(\w+)', \(\) => import\('([^']+)'\)/g)) {
      yield { file: join(path, '..', `${name}.tsx`), topic };
    }
    for (const [, name = ''] of text.matchAll(/^export \{.*\} from '([^']+)'/gm)) {
      yield { file: join(path, '..', `${name}.tsx`), topic: 'common' };
    }
  }
}

const searched = new Map<string, Found>();
for (const path of filesBelow(SOURCE).filter((name) => !/api.(ecr|operating)\.ts$/.test(name))) {
  const found: Found = { literals: [], keys: new Set() };
  search(path, found);
  searched.set(path, found);
}
const literals = [...searched.values()].flatMap((one) => one.literals);
const keys = new Set([...searched.values()].flatMap((one) => [...one.keys]));

describe('messages', () => {
  test('each language has the same keys in the same topics', () => {
    const keysOf = (texts: typeof english) => [...texts].map(([topic, one]) => [topic, Object.keys(one)]);
    expect(keysOf(textsOf('de'))).toEqual(keysOf(english));
  });

  test('each key is in one topic', () => {
    expect([...english.values()].flatMap((texts) => Object.keys(texts))).toHaveLength(Object.keys(en).length);
  });

  test('a screen loads the topic of each of its texts', () => {
    const missing = [...screens()].flatMap(({ file, topic }) => {
      const there = { ...english.get('common'), ...english.get(topic) };
      const used = [...loadedBy(file)].flatMap((path) => [...(searched.get(path)?.keys ?? [])]);
      return used.filter((key) => key in en && !(key in there)).map((key) => `${file}: ${key}`);
    });
    expect(missing).toEqual([]);
  });

  test('each language has the same values in each message', () => {
    const values = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([value]) => value).sort();
    const differing = Object.entries(de).filter(([key, text]) => String(values(text)) !== String(values(en[key] ?? '')));
    expect(differing).toEqual([]);
  });

  test('no text that people see is in the code', () => {
    expect(literals).toEqual([]);
  });

  test('each message is used', () => {
    const templates = filesBelow(SOURCE).map((path) => readFileSync(path, 'utf-8')).join('\n');
    const prefixes = [
      ...[...templates.matchAll(/`([\w.]+\.)\$\{/g)].map(([, prefix]) => prefix ?? ''),
      ...[...templates.matchAll(/nameOf\('([\w.]+)'/g)].map(([, prefix]) => `${prefix ?? ''}.`),
    ];
    const unused = Object.keys(en).filter(
      (key) => !keys.has(key) && !prefixes.some((prefix) => key.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });

  test('no message names Amazon’s products in a title', () => {
    const titles = Object.entries(en).filter(([key]) => key.endsWith('title') || key.startsWith('nav.'));
    expect(titles.filter(([, text]) => /amazon|aws/i.test(text))).toEqual([]);
  });
});
