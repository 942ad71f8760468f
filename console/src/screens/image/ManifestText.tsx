import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { readLayer, type StoredManifest } from '../../api/manifest';
import { formatJson } from '../../components/json';
import { JsonEditor } from '../../components/JsonEditor';
import { Part } from '../../components/Part';
import { type Loaded, useLoad } from '../../components/useLoad';
import { t } from '../../messages';

/** The manifest and the configuration as they are stored. */
export function ManifestText({ name, manifest }: { name: string; manifest: Loaded<StoredManifest> }) {
  return (
    <Part of={manifest} lines={12}>
      {(stored) => (
        <SpaceBetween size="l">
          <Container header={<Header variant="h2">{t('image.tab.manifest')}</Header>}>
            <JsonEditor label={stored.manifest.mediaType ?? t('image.tab.manifest')} value={formatJson(stored.text)} readOnly />
          </Container>
          {stored.manifest.config !== undefined && <ConfigurationText name={name} stored={stored} />}
        </SpaceBetween>
      )}
    </Part>
  );
}

function ConfigurationText({ name, stored }: { name: string; stored: StoredManifest }) {
  const { config } = stored.manifest;
  const text = useLoad(`configuration ${name} ${config?.digest ?? ''}`, (signal) =>
    config === undefined ? Promise.resolve('') : readLayer(name, config, signal),
  );
  return (
    <Container header={<Header variant="h2">{t('image.configuration')}</Header>}>
      <Part of={text} lines={12}>
        {(loaded) => <JsonEditor label={config?.mediaType ?? ''} value={formatJson(loaded)} readOnly />}
      </Part>
    </Container>
  );
}
