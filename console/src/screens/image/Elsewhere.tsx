import Box from '@cloudscape-design/components/box';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';

import { ecr } from '../../api/client';
import type { ImageReplicationStatus, ImageSigningStatus } from '../../api/ecr';
import { Name } from '../../components/Name';
import { Part } from '../../components/Part';
import { useLoad } from '../../components/useLoad';
import { t } from '../../messages';
import { Status } from './statuses';

interface OfImage {
  name: string;
  digest: string;
}

/** The signatures that rules of the registry ask for. */
export function SigningStatuses({ name, digest }: OfImage) {
  const statuses = useLoad(`signing ${name} ${digest}`, async (signal) => {
    const answer = await ecr('DescribeImageSigningStatus', { repositoryName: name, imageId: { imageDigest: digest } }, signal);
    return answer.signingStatuses ?? [];
  });
  return (
    <Container header={<Header variant="h2">{t('nav.signing')}</Header>}>
      <Part of={statuses} lines={2}>
        {(found) => (found.length === 0 ? <Nothing text={t('signing.noRule')} /> : <Signatures of={found} />)}
      </Part>
    </Container>
  );
}

function Signatures({ of }: { of: ImageSigningStatus[] }) {
  return (
    <KeyValuePairs
      columns={2}
      items={of.map((one) => ({
        type: 'pair',
        label: one.signingProfileArn ?? '',
        value: <WithReason status={one.status} reason={one.failureReason ?? one.failureCode} />,
      }))}
    />
  );
}

/** The copies in other registries. */
export function ReplicationStatuses({ name, digest }: OfImage) {
  const statuses = useLoad(`replication ${name} ${digest}`, async (signal) => {
    const imageId = { imageDigest: digest };
    const answer = await ecr('DescribeImageReplicationStatus', { repositoryName: name, imageId }, signal);
    return answer.replicationStatuses ?? [];
  });
  return (
    <Container header={<Header variant="h2">{t('nav.replication')}</Header>}>
      <Part of={statuses} lines={2}>
        {(found) => (found.length === 0 ? <Nothing text={t('replication.noRule')} /> : <Copies of={found} />)}
      </Part>
    </Container>
  );
}

function Copies({ of }: { of: ImageReplicationStatus[] }) {
  return (
    <KeyValuePairs
      columns={3}
      items={of.map((one) => ({
        type: 'pair',
        label: `${one.registryId ?? ''} ${one.region ?? ''}`,
        value: <WithReason status={one.status} reason={one.failureCode} />,
      }))}
    />
  );
}

function WithReason({ status, reason }: { status: string | undefined; reason: string | undefined }) {
  return (
    <>
      <Status of={status} /> {reason !== undefined && <Name>{reason}</Name>}
    </>
  );
}

function Nothing({ text }: { text: string }) {
  return <Box color="text-body-secondary">{text}</Box>;
}
