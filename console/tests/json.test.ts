import { describe, expect, test } from 'vitest';

import { formatJson, jsonProblem } from '../src/components/json';

const GOOD = ['{}', '[]', ' {"a": [1, -2.5e3, true, false, null, "x\\u00e9\\n"]} ', '"x"', '0', '{"a":{"b":[[]]}}'];

describe('the place of a mistake', () => {
  test.each(GOOD)('%s has none', (text) => {
    expect(jsonProblem(text)).toBeUndefined();
    expect(() => JSON.parse(text) as unknown).not.toThrow();
  });

  test.each([
    ['', 1, 1],
    ['{', 1, 2],
    ['{"a": 1,}', 1, 9],
    ['[1 2]', 1, 4],
    ['{"a" 1}', 1, 6],
    ["{'a': 1}", 1, 2],
    ['{"a": "x\ny"}', 1, 9],
    ['01', 1, 2],
    ['{} {}', 1, 4],
  ])('%j: line %i, column %i', (text, line, column) => {
    expect(jsonProblem(text)).toMatchObject({ line, column });
    expect(() => JSON.parse(text) as unknown).toThrow();
  });

  test('a mistake at line 14 is found there', () => {
    const lines = ['{', '  "Version": "2012-10-17",', '  "Statement": [', '    {'];
    for (let line = 5; line < 14; line += 1) lines.push(`      "k${line}": "v",`);
    lines.push('      "Principal": *', '    }', '  ]', '}');
    expect(jsonProblem(lines.join('\n'))).toMatchObject({ line: 14, column: 20 });
  });
});

test('only JSON is formatted', () => {
  expect(formatJson('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(formatJson('{"a":')).toBe('{"a":');
});
