import { act, renderHook, waitFor } from '@testing-library/react';
import { describe, expect, test, vi } from 'vitest';

import { connection, serverIsBack } from '../src/app/connection';
import { useEach } from '../src/components/useEach';
import { useLoad } from '../src/components/useLoad';
import { type PageOf, usePages } from '../src/components/usePages';

const page = (token: string | undefined): PageOf<string> => {
  const number = Number(token ?? '1');
  return { items: [`row of page ${number}`], nextToken: number < 3 ? String(number + 1) : undefined };
};

describe('a list of which the server makes the pages', () => {
  test('loads only the page that is shown, and goes on and back by tokens', async () => {
    const load = vi.fn((token: string | undefined) => Promise.resolve(page(token)));
    const { result } = renderHook(() => usePages('list', load));
    await waitFor(() => expect(result.current.data?.items).toEqual(['row of page 1']));
    expect(result.current).toMatchObject({ index: 1, known: 2, hasMore: true });

    act(() => result.current.goTo(2));
    await waitFor(() => expect(result.current.data?.items).toEqual(['row of page 2']));
    act(() => result.current.goTo(3));
    await waitFor(() => expect(result.current.data?.items).toEqual(['row of page 3']));
    expect(result.current).toMatchObject({ index: 3, known: 3, hasMore: false });

    act(() => result.current.goTo(1));
    await waitFor(() => expect(result.current.data?.items).toEqual(['row of page 1']));
    expect(load.mock.calls.map(([token]) => token)).toEqual([undefined, '2', '3', undefined]);
  });

  test('cannot go to a page whose token it does not know', async () => {
    const { result } = renderHook(() => usePages('list', (token) => Promise.resolve(page(token))));
    await waitFor(() => expect(result.current.data).toBeDefined());
    act(() => result.current.goTo(3));
    expect(result.current.index).toBe(1);
  });

  test('begins at the first page when the search changes', async () => {
    const { result, rerender } = renderHook(({ key }) => usePages(key, (token) => Promise.resolve(page(token))), {
      initialProps: { key: 'a' },
    });
    await waitFor(() => expect(result.current.data).toBeDefined());
    act(() => result.current.goTo(2));
    await waitFor(() => expect(result.current.index).toBe(2));
    rerender({ key: 'b' });
    expect(result.current).toMatchObject({ index: 1, data: undefined });
  });
});

describe('something that is loaded', () => {
  test('keeps its data while it is loaded again, so nothing jumps', async () => {
    let answer: (value: string) => void = () => undefined;
    const { result } = renderHook(() => useLoad('one', () => new Promise<string>((resolve) => (answer = resolve))));
    expect(result.current).toMatchObject({ data: undefined, loading: true });
    act(() => answer('first'));
    await waitFor(() => expect(result.current.data).toBe('first'));
    act(() => result.current.reload());
    expect(result.current).toMatchObject({ data: 'first', loading: true });
  });

  test('is loaded again when the server is back', async () => {
    const load = vi.fn().mockRejectedValueOnce(new Error('down')).mockResolvedValue('data');
    const { result } = renderHook(() => useLoad('two', load));
    await waitFor(() => expect(result.current.error).toBeDefined());
    act(() => {
      connection.set({ ...connection.get(), down: true });
      serverIsBack();
    });
    await waitFor(() => expect(result.current.data).toBe('data'));
  });

  test('an answer that comes after another question is not shown', async () => {
    const answers: Record<string, (value: string) => void> = {};
    const { result, rerender } = renderHook(
      ({ key }) => useLoad(key, () => new Promise<string>((resolve) => (answers[key] = resolve))),
      { initialProps: { key: 'old' } },
    );
    rerender({ key: 'new' });
    act(() => answers.old?.('old answer'));
    act(() => answers.new?.('new answer'));
    await waitFor(() => expect(result.current.data).toBe('new answer'));
  });
});

test('rows are loaded a few at a time', async () => {
  let running = 0;
  let most = 0;
  const keys = Array.from({ length: 12 }, (_, index) => `k${index}`);
  const { result } = renderHook(() =>
    useEach(keys, async (key) => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      if (key === 'k3') throw new Error('refused');
      return key.toUpperCase();
    }),
  );
  await waitFor(() => expect(result.current.size).toBe(12));
  expect(most).toBeLessThanOrEqual(4);
  expect(result.current.get('k0')).toBe('K0');
  expect(result.current.get('k3')).toBeNull();
});
