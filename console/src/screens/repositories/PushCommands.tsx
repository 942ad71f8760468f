import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Tabs from '@cloudscape-design/components/tabs';

import type { Repository } from '../../api/ecr';
import { regionOf, useSession } from '../../app/session';
import { Commands } from '../../components/CopyText';
import { t } from '../../messages';

interface PushCommandsProps {
  repository: Repository;
  onClose: () => void;
}

/** The lines that push an image to a repository, with the addresses of this server. */
export function PushCommands({ repository, onClose }: PushCommandsProps) {
  const session = useSession();
  const { repositoryName = '', repositoryUri = '' } = repository;
  const host = repositoryUri.split('/')[0] ?? session.registryHost;
  const image = `${repositoryUri}:latest`;
  const tabs = ['docker', 'podman'].map((client) => ({
    id: client,
    label: client,
    content: (
      <SpaceBetween size="l">
        <Step
          text={t('push.logIn')}
          lines={[
            `aws ecr get-login-password --region ${regionOf(session)} --endpoint-url ${session.endpointUrl} \\`,
            `  | ${client} login --username AWS --password-stdin ${host}`,
          ]}
        />
        <Step text={t('push.build')} lines={[`${client} build -t ${repositoryName} .`]} />
        <Step text={t('push.tag')} lines={[`${client} tag ${repositoryName}:latest ${image}`]} />
        <Step text={t('push.push')} lines={[`${client} push ${image}`]} />
      </SpaceBetween>
    ),
  }));
  return (
    <Modal
      visible
      size="large"
      header={t('push.title', { name: repositoryName })}
      onDismiss={onClose}
      footer={
        <Box float="right">
          <Button onClick={onClose}>{t('action.close')}</Button>
        </Box>
      }
    >
      <Tabs tabs={tabs} ariaLabel={t('push.clients')} />
    </Modal>
  );
}

function Step({ text, lines }: { text: string; lines: string[] }) {
  return (
    <SpaceBetween size="xs">
      <Box>{text}</Box>
      <Commands lines={lines} what={text} />
    </SpaceBetween>
  );
}
