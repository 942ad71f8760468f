import type { Descriptor, ImageConfiguration, Manifest } from '../../api/manifest';

export interface LayerRow {
  step: number;
  command: string | undefined;
  comment: string | undefined;
  /** Seconds since the Unix epoch. */
  created: number | undefined;
  /** Absent for steps that changed only the configuration. */
  layer: Descriptor | undefined;
}

/** The steps that made an image, each with its layer if it has one. Without a history, the layers alone. */
export function layerRows(manifest: Manifest, configuration: ImageConfiguration | undefined): LayerRow[] {
  const layers = [...(manifest.layers ?? [])];
  const history = configuration?.history ?? [];
  const rows = history.map(({ created_by, comment, created, empty_layer }, index) => ({
    step: index + 1,
    command: created_by,
    comment,
    created: secondsOf(created),
    layer: empty_layer === true ? undefined : layers.shift(),
  }));
  const rest = layers.map((layer, index) => ({
    step: rows.length + index + 1,
    command: layer.annotations?.['org.opencontainers.image.title'] ?? layer.mediaType,
    comment: undefined,
    created: undefined,
    layer,
  }));
  return [...rows, ...rest];
}

function secondsOf(time: string | undefined): number | undefined {
  const milliseconds = Date.parse(time ?? '');
  return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000;
}

/** For example `linux/arm64/v8`. */
export function platformName({ platform = {}, artifactType, annotations }: Descriptor): string {
  const attests = annotations?.['vnd.docker.reference.type'];
  if (attests !== undefined) return attests;
  const parts = [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined);
  return parts.length === 0 ? (artifactType ?? '–') : parts.join('/');
}
