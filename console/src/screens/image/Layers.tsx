import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Table from '@cloudscape-design/components/table';
import { useState } from 'react';

import type { Descriptor, ImageConfiguration, Manifest, StoredManifest } from '../../api/manifest';
import { readLayer } from '../../api/manifest';
import { repositoryPath } from '../../app/router';
import { CopyText } from '../../components/CopyText';
import { Digest, Name } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { Lines, Part } from '../../components/Part';
import { type Loaded, useLoad } from '../../components/useLoad';
import { formatSize, formatTime, t } from '../../messages';
import { Annotations } from './Annotations';
import { layerRows, platformName } from './layerRows';
import { LayerRetention } from './Retention';

/** The layers of an image with what made them, or the platforms of an index. */
export function Layers({ name, manifest }: { name: string; manifest: Loaded<StoredManifest> }) {
  return (
    <Part of={manifest} lines={8}>
      {(stored) =>
        stored.manifest.manifests === undefined ? (
          <ImageLayers name={name} manifest={stored.manifest} />
        ) : (
          <Platforms name={name} manifests={stored.manifest.manifests} />
        )
      }
    </Part>
  );
}

function Platforms({ name, manifests }: { name: string; manifests: Descriptor[] }) {
  return (
    <Table
      items={manifests}
      header={<Header variant="h2">{t('image.tab.platforms')}</Header>}
      wrapLines
      columnDefinitions={[
        { id: 'platform', header: t('image.platform'), isRowHeader: true, cell: (one) => <Name>{platformName(one)}</Name> },
        {
          id: 'digest',
          header: t('image.digest'),
          cell: ({ digest }) => (
            <NavLink to={repositoryPath(name, 'images', digest)}>
              <Digest>{digest}</Digest>
            </NavLink>
          ),
        },
        { id: 'type', header: t('image.mediaType'), cell: ({ mediaType }) => <Name>{mediaType}</Name> },
        { id: 'size', header: t('image.manifestSize'), cell: ({ size }) => formatSize(size) },
      ]}
    />
  );
}

const hasConfiguration = (manifest: Manifest): boolean =>
  /image\.config|container\.image\.v1/.test(manifest.config?.mediaType ?? '');

function ImageLayers({ name, manifest }: { name: string; manifest: Manifest }) {
  const { config } = manifest;
  const configuration = useLoad(`configuration ${name} ${config?.digest ?? ''}`, async (signal) => {
    if (config === undefined || !hasConfiguration(manifest)) return undefined;
    return JSON.parse(await readLayer(name, config, signal)) as ImageConfiguration;
  });
  const rows = layerRows(manifest, configuration.data);
  const [asked, setAsked] = useState<string>();
  return (
    <SpaceBetween size="l">
      <Table
        items={rows}
        header={<Header variant="h2">{t('image.tab.layers')}</Header>}
        wrapLines
        empty={t('state.none')}
        columnDefinitions={[
          { id: 'step', header: '#', cell: ({ step }) => step },
          {
            id: 'command',
            header: t('image.command'),
            isRowHeader: true,
            cell: ({ command, comment }) => (
              <>
                <code className="code">
                  <Name>{command}</Name>
                </code>
                {comment !== undefined && <Name>{` ${comment}`}</Name>}
              </>
            ),
          },
          { id: 'size', header: t('image.size'), cell: ({ layer }) => (layer === undefined ? '–' : formatSize(layer.size)) },
          {
            id: 'digest',
            header: t('image.digest'),
            cell: ({ layer }) => <CopyText text={layer?.digest} what={t('image.digest')} shorten />,
          },
          { id: 'created', header: t('repository.created'), cell: ({ created }) => formatTime(created) },
          {
            id: 'why',
            header: t('retention.title'),
            cell: ({ layer }) =>
              layer !== undefined && (
                <Button
                  variant="icon"
                  iconName="status-info"
                  ariaLabel={t('retention.layer', { digest: layer.digest })}
                  onClick={() => setAsked(layer.digest)}
                />
              ),
          },
        ]}
      />
      {asked !== undefined && <LayerRetention name={name} digest={asked} onClose={() => setAsked(undefined)} />}
      {hasConfiguration(manifest) && (
        <Container header={<Header variant="h2">{t('image.configuration')}</Header>}>
          <Part of={configuration} lines={6}>
            {(loaded) => <Configuration of={loaded} />}
          </Part>
          {configuration.loading && configuration.data === undefined && <Lines count={1} />}
        </Container>
      )}
    </SpaceBetween>
  );
}

function Configuration({ of }: { of: ImageConfiguration | undefined }) {
  const config = of?.config ?? {};
  const words = (list: string[] | undefined) => <code className="code">{(list ?? []).join(' ') || '–'}</code>;
  return (
    <SpaceBetween size="l">
      <KeyValuePairs
        columns={3}
        items={[
          { label: t('image.platform'), value: <Name>{platformName({ digest: '', platform: of ?? {} })}</Name> },
          { label: t('image.entrypoint'), value: words(config.Entrypoint) },
          { label: t('image.cmd'), value: words(config.Cmd) },
          { label: t('image.directory'), value: <Name>{config.WorkingDir}</Name> },
          { label: t('image.user'), value: <Name>{config.User}</Name> },
          { label: t('image.ports'), value: words(Object.keys(config.ExposedPorts ?? {})) },
          { label: t('image.environment'), value: <pre className="code">{(config.Env ?? []).join('\n') || '–'}</pre> },
        ]}
      />
      <Header variant="h3">{t('image.labels')}</Header>
      <Annotations of={config.Labels ?? {}} />
    </SpaceBetween>
  );
}
