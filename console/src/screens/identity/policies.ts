import { iam, type Policy } from '../../api/iam';
import { type Pages, usePages } from '../../components/usePages';
import { pageOf } from './entity';

export type Scope = 'All' | 'AWS' | 'Local';

/** Who manages a policy. */
export function ownerOf(arn: string): 'AWS' | 'Local' {
  return arn.startsWith('arn:aws:iam::aws:') ? 'AWS' : 'Local';
}

/** The policies that can be attached, in pages. */
export function usePolicies(scope: Scope, size: number): Pages<Policy> {
  return usePages<Policy>(`policies ${scope} ${size}`, async (Marker, signal) => {
    const answer = await iam('ListPolicies', { Scope: scope, MaxItems: size, Marker }, signal);
    return pageOf(answer.Policies, answer);
  });
}

/** A policy that lets one pull from all repositories, to begin with. */
export function examplePolicy(account: string): string {
  const statement = {
    Sid: 'AllowPull',
    Effect: 'Allow',
    Action: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchCheckLayerAvailability'],
    Resource: `arn:aws:ecr:*:${account}:repository/*`,
  };
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] }, null, 2);
}

/** A trust policy that lets users of the account assume the role, if their own policies allow it, too. */
export function exampleTrust(account: string): string {
  const statement = { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'sts:AssumeRole' };
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] }, null, 2);
}
