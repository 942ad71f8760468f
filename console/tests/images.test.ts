import { afterEach, describe, expect, test, vi } from 'vitest';

import { findingPage } from '../src/screens/image/findingPages';
import { layerRows, platformName } from '../src/screens/image/layerRows';

afterEach(() => vi.unstubAllGlobals());

const layer = (digest: string) => ({ digest, size: 1, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' });

describe('the layers of an image', () => {
  test('stand beside the steps that made them', () => {
    const manifest = { layers: [layer('sha256:a'), layer('sha256:b')] };
    const history = [{ created_by: 'ADD' }, { created_by: 'ENV', empty_layer: true }, { created_by: 'RUN' }];
    const rows = layerRows(manifest, { history });
    expect(rows.map(({ step, command, layer: one }) => [step, command, one?.digest])).toEqual([
      [1, 'ADD', 'sha256:a'],
      [2, 'ENV', undefined],
      [3, 'RUN', 'sha256:b'],
    ]);
  });

  test('that no step made stand at the end', () => {
    const rows = layerRows({ layers: [layer('sha256:a'), layer('sha256:b')] }, { history: [{ created_by: 'ADD' }] });
    expect(rows.map(({ layer: one }) => one?.digest)).toEqual(['sha256:a', 'sha256:b']);
  });

  test('a time that is none is left out', () => {
    const [row] = layerRows({ layers: [] }, { history: [{ created: 'yesterday' }] });
    expect(row?.created).toBeUndefined();
  });
});

test('a platform has its variant, and an attestation its kind', () => {
  expect(platformName({ digest: '', platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } })).toBe('linux/arm64/v8');
  const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' };
  expect(platformName({ digest: '', platform: { os: 'unknown' }, annotations })).toBe('attestation-manifest');
  expect(platformName({ digest: '' })).toBe('–');
});

/** A server with 300 findings, of which every tenth is critical. */
function serveFindings(): { requests: number } {
  const count = { requests: 0 };
  const findings = Array.from({ length: 300 }, (_, index) => ({
    name: `CVE-${index}`,
    severity: index % 10 === 0 ? 'CRITICAL' : 'LOW',
    attributes: [
      { key: 'package_name', value: 'zlib' },
      { key: 'package_version', value: '1' },
    ],
  }));
  vi.stubGlobal('fetch', (_: string, { body }: { body: string }) => {
    count.requests += 1;
    const { nextToken = '0', maxResults } = JSON.parse(body) as { nextToken?: string; maxResults: number };
    const start = Number(nextToken);
    const more = start + maxResults < findings.length ? { nextToken: String(start + maxResults) } : {};
    const answer = { imageScanFindings: { findings: findings.slice(start, start + maxResults) }, ...more };
    return Promise.resolve(new Response(JSON.stringify(answer)));
  });
  return count;
}

describe('findings', () => {
  test('without a filter are one page of the server', async () => {
    const count = serveFindings();
    const page = await findingPage('r', 'd', '', undefined, new AbortController().signal);
    expect(page.items).toHaveLength(25);
    expect(page.items[0]).toMatchObject({ name: 'CVE-0', packages: 'zlib 1' });
    expect(count.requests).toBe(1);
  });

  test('of one severity are collected from as many pages as needed', async () => {
    const count = serveFindings();
    const page = await findingPage('r', 'd', 'CRITICAL', undefined, new AbortController().signal);
    expect(page.items).toHaveLength(30);
    expect(page.items.every(({ severity }) => severity === 'CRITICAL')).toBe(true);
    expect(page.nextToken).toBeUndefined();
    expect(count.requests).toBe(3);
  });
});
