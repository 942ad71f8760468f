import Tabs from '@cloudscape-design/components/tabs';
import type { ReactNode } from 'react';

import { ecr } from '../../api/client';
import { readManifest, type StoredManifest } from '../../api/manifest';
import { href, navigate, repositoryPath } from '../../app/router';
import type { ScreenParams } from '../../app/routes';
import { Lines } from '../../components/Part';
import { Screen } from '../../components/Screen';
import { type Loaded, useLoad } from '../../components/useLoad';
import { t } from '../../messages';
import { ImageActions } from '../repository/ImageActions';
import { Details } from './Details';
import { Findings } from './Findings';
import { ManifestText } from './ManifestText';
import { Layers } from './Layers';
import { Referrers } from './Referrers';

const TABS = ['details', 'layers', 'findings', 'referrers', 'manifest'] as const;
type Tab = (typeof TABS)[number];

/** One image. Only the tab that is shown loads its content. */
export function ImageScreen({ params }: ScreenParams) {
  const { name = '', digest = '' } = params;
  const tab = TABS.find((one) => one === params.tab) ?? 'details';
  const manifest = useLoad(`manifest ${name} ${digest}`, (signal) => readManifest(name, digest, signal));
  const image = useLoad(`image ${name} ${digest}`, async (signal) => {
    const answer = await ecr('DescribeImages', { repositoryName: name, imageIds: [{ imageDigest: digest }] }, signal);
    return answer.imageDetails?.[0] ?? {};
  });
  const contents: Record<Tab, () => ReactNode> = {
    details: () => <Details name={name} digest={digest} image={image} manifest={manifest} />,
    layers: () => <Layers name={name} manifest={manifest} />,
    findings: () => <Findings name={name} digest={digest} />,
    referrers: () => <Referrers name={name} digest={digest} />,
    manifest: () => <ManifestText name={name} manifest={manifest} />,
  };
  return (
    <Screen
      title={title(digest, image.data?.imageTags)}
      actions={
        <ImageActions
          repositoryName={name}
          images={image.data === undefined ? [] : [image.data]}
          onRefresh={image.reload}
          onChanged={image.reload}
          onDeleted={() => navigate(repositoryPath(name))}
        />
      }
    >
      <Tabs
        activeTabId={tab}
        ariaLabel={t('image.parts')}
        onChange={(event) => navigate(pathOf(name, digest, event.detail.activeTabId as Tab))}
        tabs={TABS.map((id) => ({
          id,
          label: id === 'layers' && isIndex(manifest) ? t('image.tab.platforms') : t(`image.tab.${id}`),
          href: href(pathOf(name, digest, id)),
          content: id === tab ? contents[id]() : <Lines count={3} />,
        }))}
      />
    </Screen>
  );
}

function title(digest: string, tags: string[] | undefined): string {
  const short = `${digest.slice(0, 19)}…`;
  return tags?.[0] === undefined ? short : `${tags[0]} (${short})`;
}

function isIndex(manifest: Loaded<StoredManifest>): boolean {
  return manifest.data?.manifest.manifests !== undefined;
}

function pathOf(name: string, digest: string, tab: Tab): string {
  return tab === 'details' ? repositoryPath(name, 'images', digest) : repositoryPath(name, 'images', digest, tab);
}
