import type { CreatePullThroughCacheRuleRequest } from '../../api/ecr';

export type UpstreamName = NonNullable<CreatePullThroughCacheRuleRequest['upstreamRegistry']>;

export interface Upstream {
  /** How ECR names the registry; `other` stands for any address, which Moorage allows. */
  name: UpstreamName | 'other';
  /** A name, which no language translates. */
  brand: string;
  /** Empty if people have to type it. */
  url: string;
  credentials: 'none' | 'optional' | 'required';
  prefix: string;
}

/** The registries that ECR can cache. Their names are names: no language translates them. */
export const UPSTREAMS: Upstream[] = [
  { name: 'ecr-public', brand: 'public.ecr.aws', url: 'public.ecr.aws', credentials: 'none', prefix: 'ecr-public' },
  { name: 'docker-hub', brand: 'Docker Hub', url: 'registry-1.docker.io', credentials: 'required', prefix: 'docker-hub' },
  { name: 'k8s', brand: 'Kubernetes', url: 'registry.k8s.io', credentials: 'none', prefix: 'k8s' },
  { name: 'quay', brand: 'Quay', url: 'quay.io', credentials: 'none', prefix: 'quay' },
  { name: 'github-container-registry', brand: 'GitHub', url: 'ghcr.io', credentials: 'required', prefix: 'github' },
  { name: 'gitlab-container-registry', brand: 'GitLab', url: 'registry.gitlab.com', credentials: 'required', prefix: 'gitlab' },
  { name: 'chainguard', brand: 'Chainguard', url: 'cgr.dev', credentials: 'required', prefix: 'chainguard' },
  { name: 'azure-container-registry', brand: 'Azure', url: '', credentials: 'required', prefix: 'azure' },
  { name: 'ecr', brand: 'ACCOUNT.dkr.ecr.REGION', url: '', credentials: 'none', prefix: 'upstream' },
  { name: 'other', brand: '', url: '', credentials: 'optional', prefix: 'upstream' },
];

export const PREFIX = /^([a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\/?|ROOT)$/;

export function upstreamNamed(name: string): Upstream {
  const [first] = UPSTREAMS;
  const found = UPSTREAMS.find((one) => one.name === name) ?? first;
  if (found === undefined) throw new Error('There are no upstream registries.');
  return found;
}
