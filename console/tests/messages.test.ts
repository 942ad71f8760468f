import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import ts from 'typescript';
import { describe, expect, test } from 'vitest';

import de from '../src/messages/de.json';
import en from '../src/messages/en.json';

const SOURCE = join(import.meta.dirname, '..', 'src');
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

const found: Found = { literals: [], keys: new Set() };
filesBelow(SOURCE)
  .filter((path) => !/api.(ecr|operating)\.ts$/.test(path))
  .forEach((path) => search(path, found));

describe('messages', () => {
  test('each language has the same keys', () => {
    expect(Object.keys(de)).toEqual(Object.keys(en));
  });

  test('each language has the same values in each message', () => {
    const values = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([value]) => value).sort();
    const english: Record<string, string> = en;
    const differing = Object.entries(de).filter(([key, text]) => String(values(text)) !== String(values(english[key] ?? '')));
    expect(differing).toEqual([]);
  });

  test('no text that people see is in the code', () => {
    expect(found.literals).toEqual([]);
  });

  test('each message is used', () => {
    const templates = filesBelow(SOURCE).map((path) => readFileSync(path, 'utf-8')).join('\n');
    const prefixes = [
      ...[...templates.matchAll(/`([\w.]+\.)\$\{/g)].map(([, prefix]) => prefix ?? ''),
      ...[...templates.matchAll(/nameOf\('([\w.]+)'/g)].map(([, prefix]) => `${prefix ?? ''}.`),
    ];
    const unused = Object.keys(en).filter(
      (key) => !found.keys.has(key) && !prefixes.some((prefix) => key.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });

  test('no message names Amazon’s products in a title', () => {
    const titles = Object.entries(en).filter(([key]) => key.endsWith('title') || key.startsWith('nav.'));
    expect(titles.filter(([, text]) => /amazon|aws/i.test(text))).toEqual([]);
  });
});
