import { describe, expect, test } from 'vitest';

import { currentPlace, href, match, navigate, repositoryPath, setQuery } from '../src/app/router';

describe('addresses', () => {
  test('the name of a repository may have several parts', () => {
    expect(match('/repositories/*name', '/repositories/team/app')).toEqual({ name: 'team/app' });
    expect(match('/repositories/*name', '/repositories/app/')).toEqual({ name: 'app' });
  });

  test('what is below a repository is not a part of its name', () => {
    const path = repositoryPath('team/app', 'images', 'sha256:ab');
    expect(path).toBe('/repositories/team/app/-/images/sha256:ab');
    expect(match('/repositories/*name', path)).toBeUndefined();
    expect(match('/repositories/*name/-/images/:digest', path)).toEqual({ name: 'team/app', digest: 'sha256:ab' });
  });

  test('names with a minus sign are names', () => {
    expect(match('/repositories/*name', '/repositories/a-b/c-d')).toEqual({ name: 'a-b/c-d' });
    expect(match('/repositories/*name', '/repositories/-/create')).toBeUndefined();
  });

  test('an address that is not encoded correctly is taken as it is', () => {
    expect(match('/repositories/:name', '/repositories/%E0%A4')).toEqual({ name: '%E0%A4' });
  });

  test('the chosen Region stays in each address', () => {
    navigate('/repositories');
    setQuery({ region: 'eu-central-1' });
    expect(href('/registry/settings')).toBe('/console/registry/settings?region=eu-central-1');
    expect(href('/repositories?prefix=a')).toBe('/console/repositories?prefix=a&region=eu-central-1');
    navigate('/repositories');
    expect(currentPlace().query.get('region')).toBe('eu-central-1');
    setQuery({ region: undefined });
    expect(href('/repositories')).toBe('/console/repositories');
  });
});
