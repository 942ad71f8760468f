import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import TreeView from '@cloudscape-design/components/tree-view';
import { useEffect, useState } from 'react';

import { ecr } from '../../api/client';
import type { ImageReferrer } from '../../api/ecr';
import { readLayer, readManifest } from '../../api/manifest';
import { notify } from '../../app/notifications';
import { repositoryPath } from '../../app/router';
import { errorText } from '../../components/ErrorNote';
import { Digest, Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { Part } from '../../components/Part';
import { useLoad } from '../../components/useLoad';
import { formatSize, t } from '../../messages';

interface ReferrersProps {
  name: string;
  digest: string;
}

/** A referrer with its own referrers, as far as they were loaded. */
interface Node extends ImageReferrer {
  id: string;
}

const PAGE = 50;

async function referrersOf(repositoryName: string, digest: string): Promise<ImageReferrer[]> {
  const answer = await ecr('ListImageReferrers', { repositoryName, subjectId: { imageDigest: digest }, maxResults: PAGE });
  return answer.referrers ?? [];
}

/** What refers to an image: signatures, SBOMs and the like, as a tree. Branches are loaded when they are opened. */
export function Referrers({ name, digest }: ReferrersProps) {
  const [children, setChildren] = useState<Record<string, Node[]>>({});
  const [open, setOpen] = useState<string[]>([]);
  const nodesBelow = async (parent: string, subject: string): Promise<Node[]> =>
    (await referrersOf(name, subject)).map((one) => ({ ...one, id: `${parent}/${one.digest}` }));
  const root = useLoad(`referrers ${name} ${digest}`, () => nodesBelow('', digest));
  const grow = async (nodes: Node[]) => {
    const grown = await Promise.all(
      nodes.map(async (node) => [node.id, await nodesBelow(node.id, node.digest).catch(() => [])] as const),
    );
    setChildren((old) => ({ ...old, ...Object.fromEntries(grown) }));
  };
  useEffect(() => {
    // One level ahead, because only a node with children can be opened.
    void grow(root.data ?? []);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `grow` is made anew each time and depends on nothing else.
  }, [root.data]);
  return (
    <Container header={<Header variant="h2">{t('image.tab.referrers')}</Header>}>
      <Part of={root} lines={4}>
        {(nodes) =>
          nodes.length === 0 ? (
            <Box color="text-body-secondary">{t('referrers.none')}</Box>
          ) : (
            <TreeView<Node>
              items={nodes}
              ariaLabel={t('image.tab.referrers')}
              getItemId={({ id }) => id}
              getItemChildren={({ id }) => children[id]}
              expandedItems={open}
              onItemToggle={({ detail }) => {
                setOpen(detail.expanded ? [...open, detail.id] : open.filter((id) => id !== detail.id));
                if (detail.expanded) void grow(children[detail.id] ?? []);
              }}
              renderItem={(node) => ({
                content: <Referrer name={name} node={node} />,
                announcementLabel: node.artifactType ?? node.digest,
              })}
            />
          )
        }
      </Part>
    </Container>
  );
}

function Referrer({ name, node }: { name: string; node: Node }) {
  const { artifactType = '', digest, size } = node;
  return (
    <SpaceBetween direction="horizontal" size="s">
      <Name>{kindOf(artifactType)}</Name>
      <NavLink to={repositoryPath(name, 'images', digest)}>
        <Digest>{digest}</Digest>
      </NavLink>
      <Box color="text-body-secondary">{formatSize(size)}</Box>
      {isSbom(artifactType) && (
        <Button variant="inline-link" iconName="download" onClick={() => void download(name, digest)}>
          {t('referrers.sbom')}
        </Button>
      )}
    </SpaceBetween>
  );
}

const isSbom = (artifactType: string): boolean => /cyclonedx|spdx/i.test(artifactType);

function kindOf(artifactType: string): string {
  if (isSbom(artifactType)) return `SBOM: ${artifactType}`;
  if (/notary|cosign|sigstore/.test(artifactType)) return `${t('image.signature')}: ${artifactType}`;
  return artifactType;
}

/** Hand the only document of a referrer to the browser as a file. */
async function download(name: string, digest: string): Promise<void> {
  try {
    const { manifest } = await readManifest(name, digest, new AbortController().signal);
    const [layer] = manifest.layers ?? [];
    if (layer === undefined) return;
    const address = URL.createObjectURL(new Blob([await readLayer(name, layer)], { type: 'application/json' }));
    const link = document.createElement('a');
    link.href = address;
    link.download = `${digest.replace(':', '-')}.sbom.json`;
    link.click();
    URL.revokeObjectURL(address);
  } catch (error) {
    notify('error', errorText(error));
  }
}
