import { ecr, request } from './client';
import { errorOf } from './errors';
import { bodyOf } from './session';

export interface Descriptor {
  mediaType?: string;
  digest: string;
  size?: number;
  artifactType?: string;
  annotations?: Record<string, string>;
  platform?: { os?: string; architecture?: string; variant?: string; 'os.version'?: string };
}

/** The parts of a manifest that the console shows. Everything in it was written by whoever pushed it. */
export interface Manifest {
  mediaType?: string;
  artifactType?: string;
  config?: Descriptor;
  layers?: Descriptor[];
  manifests?: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

export interface History {
  created?: string;
  created_by?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** The parts of an image configuration that the console shows. */
export interface ImageConfiguration {
  architecture?: string;
  os?: string;
  variant?: string;
  created?: string;
  author?: string;
  config?: {
    Env?: string[];
    Entrypoint?: string[];
    Cmd?: string[];
    WorkingDir?: string;
    User?: string;
    ExposedPorts?: Record<string, unknown>;
    Volumes?: Record<string, unknown>;
    Labels?: Record<string, string>;
  };
  history?: History[];
}

export interface StoredManifest {
  text: string;
  manifest: Manifest;
}

/** The manifest of an image, as it was pushed. */
export async function readManifest(repositoryName: string, imageDigest: string, signal: AbortSignal): Promise<StoredManifest> {
  const answer = await ecr('BatchGetImage', { repositoryName, imageIds: [{ imageDigest }] }, signal);
  const [image] = answer.images ?? [];
  if (image?.imageManifest === undefined) {
    const [failure] = answer.failures ?? [];
    throw errorOf(404, { __type: failure?.failureCode ?? 'ImageNotFound', message: failure?.failureReason ?? '' });
  }
  return { text: image.imageManifest, manifest: JSON.parse(image.imageManifest) as Manifest };
}

/** The largest configuration or document that is shown, in bytes. */
const LIMIT = 4 << 20;

/** The text of a layer, such as an image configuration. Refuses one that is too large for a page. */
export async function readLayer(repositoryName: string, layer: Descriptor, signal?: AbortSignal): Promise<string> {
  if ((layer.size ?? 0) > LIMIT) throw errorOf(413, { __type: 'TooLarge' });
  const { downloadUrl = '' } = await ecr('GetDownloadUrlForLayer', { repositoryName, layerDigest: layer.digest }, signal);
  const response = await request(pathOf(downloadUrl), { method: 'GET', signal: signal ?? null });
  if (!response.ok) throw errorOf(response.status, await bodyOf(response));
  return response.text();
}

/** The path of an address: the page may load only from its own host, by whatever name people reach it. */
function pathOf(address: string): string {
  const { pathname, search } = new URL(address, window.location.href);
  return `${pathname}${search}`;
}
