import { act, renderHook, waitFor } from '@testing-library/react';
import { beforeEach, describe, expect, test } from 'vitest';

import { useDocument } from '../src/components/useDocument';
import { useDraft } from '../src/components/useDraft';

let stored = '';
const source = {
  key: 'policy',
  read: () => Promise.resolve(stored),
  write: (text: string) => {
    stored = JSON.stringify(JSON.parse(text));
    return Promise.resolve();
  },
};

beforeEach(() => {
  stored = '{"a":1}';
  window.sessionStorage.clear();
});

async function opened() {
  const rendered = renderHook(() => useDocument(source));
  await waitFor(() => expect(rendered.result.current.text).toBe('{\n  "a": 1\n}'));
  return rendered;
}

describe('a document', () => {
  test('is saved when nobody else saved it', async () => {
    const { result } = await opened();
    act(() => result.current.change('{"a": 2}'));
    expect(result.current).toMatchObject({ isChanged: true, isValid: true });
    await act(async () => expect(await result.current.save()).toBe(true));
    expect(stored).toBe('{"a":2}');
    expect(result.current).toMatchObject({ isChanged: false, text: '{\n  "a": 2\n}' });
  });

  test('the second of two editors is told of the first, and nothing is lost', async () => {
    const { result } = await opened();
    act(() => result.current.change('{"a": "mine"}'));
    stored = '{"a":"theirs"}';
    await act(async () => expect(await result.current.save()).toBe(false));
    expect(stored).toBe('{"a":"theirs"}');
    expect(result.current).toMatchObject({ foreign: '{"a":"theirs"}', text: '{"a": "mine"}' });

    await act(async () => expect(await result.current.overwrite()).toBe(true));
    expect(stored).toBe('{"a":"mine"}');
    expect(result.current.foreign).toBeUndefined();
  });

  test('the second of two editors may take the text of the first', async () => {
    const { result } = await opened();
    act(() => result.current.change('{"a": "mine"}'));
    stored = '{"a":"theirs"}';
    await act(async () => expect(await result.current.save()).toBe(false));
    act(() => result.current.takeForeign());
    expect(result.current).toMatchObject({ text: '{\n  "a": "theirs"\n}', isChanged: false, foreign: undefined });
  });

  test('that is not JSON is said to be invalid', async () => {
    const { result } = await opened();
    act(() => result.current.change('{"a": }'));
    expect(result.current.isValid).toBe(false);
  });
});

describe('a draft', () => {
  test('survives a reload of the page, which runs no cleanup', () => {
    const first = renderHook(() => useDraft('name', 'empty'));
    act(() => first.result.current[1]('typed'));
    const second = renderHook(() => useDraft('name', 'empty'));
    expect(second.result.current[0]).toBe('typed');
  });

  test('is forgotten when its form closes', () => {
    const first = renderHook(() => useDraft('name', 'empty'));
    act(() => first.result.current[1]('typed'));
    first.unmount();
    expect(renderHook(() => useDraft('name', 'empty')).result.current[0]).toBe('empty');
  });
});
