import { fireEvent, render, screen } from '@testing-library/react';
import { beforeAll, describe, expect, test } from 'vitest';

import { activeLink, navigationItems } from '../src/app/navigation';
import { findRoute, ROUTES } from '../src/app/routes';
import { Digest, Name } from '../src/components/Name';
import { mutabilityOf, mutabilitySettings } from '../src/components/MutabilityFields';
import { PagedTable } from '../src/components/PagedTable';
import { TagList } from '../src/components/TagList';
import { areValidTags } from '../src/components/TagsEditor';
import { type PageOf, usePages } from '../src/components/usePages';
import { formatSize, loadLanguage } from '../src/messages';

beforeAll(() => loadLanguage('en'));

describe('text from outside', () => {
  test('is isolated and never markup', () => {
    const { container } = render(<Name>{'<img src=x onerror=alert(1)> \u202Eevil'}</Name>);
    expect(container.querySelector('img')).toBeNull();
    expect(container.querySelector('bdi')?.textContent).toBe('<img src=x onerror=alert(1)> \u202Eevil');
  });

  test('a digest is shortened, and whole in its title', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const { container } = render(<Digest>{digest}</Digest>);
    expect(container.textContent).toBe('sha256:aaaaaaaaaaaa…');
    expect(container.querySelector('bdi')?.title).toBe(digest);
  });
});

test('of 5,000 tags a few are shown, and more when wanted', () => {
  const tags = Array.from({ length: 5000 }, (_, index) => `tag-${index}`);
  const { container } = render(<TagList tags={tags} />);
  expect(container.querySelectorAll('bdi')).toHaveLength(4);
  fireEvent.click(screen.getByText('4,996 more'));
  expect(container.querySelectorAll('bdi')).toHaveLength(104);
});

describe('addresses of screens', () => {
  test('each pattern leads to its own screen', () => {
    for (const route of ROUTES) {
      const path = route.pattern.replace('*name', 'team/app.v1').replace(/:\w+/g, 'x');
      expect(findRoute(path).route).toBe(route);
    }
  });

  test('an unknown address leads to a screen that says so', () => {
    expect(ROUTES).not.toContain(findRoute('/nowhere').route);
  });

  test('the navigation shows where one is', () => {
    const items = navigationItems();
    expect(activeLink('/repositories/a/-/permissions', items)).toBe('/console/repositories');
    expect(activeLink('/registry/pull-through-cache/create', items)).toBe('/console/registry/pull-through-cache');
    expect(activeLink('/', items)).toBe('/console/repositories');
    expect(activeLink('/nowhere', items)).toBe('');
  });
});

describe('settings', () => {
  test.each([
    [{ immutable: false, exclusions: [] }, 'MUTABLE'],
    [{ immutable: true, exclusions: [] }, 'IMMUTABLE'],
    [{ immutable: false, exclusions: ['v*'] }, 'MUTABLE_WITH_EXCLUSION'],
    [{ immutable: true, exclusions: ['v*'] }, 'IMMUTABLE_WITH_EXCLUSION'],
  ])('%j is %s, and back', (choice, name) => {
    const settings = mutabilitySettings(choice);
    expect(settings.imageTagMutability).toBe(name);
    expect(mutabilityOf(settings)).toEqual(choice);
  });

  test('resource tags have a key, once, that is not reserved', () => {
    expect(areValidTags([{ Key: 'a', Value: '' }])).toBe(true);
    expect(areValidTags([{ Key: '', Value: 'x' }])).toBe(false);
    expect(areValidTags([{ Key: 'aws:a', Value: 'x' }])).toBe(false);
    const twice = [
      { Key: 'a', Value: '1' },
      { Key: 'a', Value: '2' },
    ];
    expect(areValidTags(twice)).toBe(false);
  });
});

test('sizes are in decimal units', () => {
  expect(formatSize(999)).toBe('999\u00a0bytes');
  expect(formatSize(1500)).toBe('1.5\u00a0kB');
  expect(formatSize(2_000_000_000)).toBe('2\u00a0GB');
  expect(formatSize(undefined)).toBe('–');
});

test('a table shows grey rows until its page is there, and then its rows', async () => {
  let answer: (page: PageOf<{ name: string }>) => void = () => undefined;
  const load = () => new Promise<PageOf<{ name: string }>>((resolve) => (answer = resolve));
  function Sample() {
    const pages = usePages('sample', load);
    return (
      <PagedTable
        pages={pages}
        label="sample"
        header={undefined}
        empty="empty"
        rows={3}
        trackBy={({ name }) => name}
        labelOf={({ name }) => name.toUpperCase()}
        selectionType="multi"
        columns={[{ id: 'name', header: 'name', cell: ({ name }) => name.trim() }]}
      />
    );
  }
  const { container } = render(<Sample />);
  expect(container.querySelectorAll('tbody tr')).toHaveLength(3);
  answer({ items: [{ name: 'first' }] });
  await screen.findByText('first');
  expect(container.querySelectorAll('tbody tr')).toHaveLength(1);
});
