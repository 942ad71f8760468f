import Box from '@cloudscape-design/components/box';
import Header from '@cloudscape-design/components/header';
import Modal from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Table from '@cloudscape-design/components/table';

import { moorage } from '../../api/moorage';
import type { ListRetentionReasonsResponse, RetentionReason } from '../../api/operating';
import { repositoryPath } from '../../app/router';
import { Digest } from '../../components/Name';
import { NavLink } from '../../components/NavLink';
import { Part } from '../../components/Part';
import { TagList } from '../../components/TagList';
import { type Loaded, useLoad } from '../../components/useLoad';
import { formatTime, nameOf, t } from '../../messages';

interface RetentionProps {
  name: string;
  /** The digest of an image or a layer. */
  digest: string;
}

const useReasons = ({ name, digest }: RetentionProps): Loaded<ListRetentionReasonsResponse> =>
  useLoad(`retention ${name} ${digest}`, (signal) => moorage('ListRetentionReasons', { repositoryName: name, digest }, signal));

/** What keeps an image in its repository. */
export function Retention(props: RetentionProps) {
  const reasons = useReasons(props);
  return (
    <Part of={reasons} lines={3}>
      {(found) => <Reasons name={props.name} found={found} variant="container" />}
    </Part>
  );
}

/** What keeps a layer in the repository, in a dialog. */
export function LayerRetention({ onClose, ...props }: RetentionProps & { onClose: () => void }) {
  const reasons = useReasons(props);
  return (
    <Modal visible size="large" header={t('retention.title')} onDismiss={onClose}>
      <SpaceBetween size="m">
        <Digest>{props.digest}</Digest>
        <Part of={reasons} lines={3}>
          {(found) => <Reasons name={props.name} found={found} variant="embedded" />}
        </Part>
      </SpaceBetween>
    </Modal>
  );
}

interface ReasonsProps {
  name: string;
  found: ListRetentionReasonsResponse;
  variant: 'container' | 'embedded';
}

function Reasons({ name, found: { reasons, isComplete }, variant }: ReasonsProps) {
  return (
    <Table
      variant={variant}
      items={reasons}
      wrapLines
      ariaLabels={{ tableLabel: t('retention.title') }}
      header={variant === 'container' ? <Header variant="h2">{t('retention.title')}</Header> : undefined}
      footer={isComplete ? undefined : <Box textAlign="center">{t('retention.more', { count: reasons.length })}</Box>}
      columnDefinitions={[
        { id: 'reason', header: t('retention.reason'), isRowHeader: true, cell: ({ kind }) => nameOf('retention.kind', kind) },
        { id: 'image', header: t('retention.image'), cell: (reason) => <Keeper name={name} of={reason} /> },
        { id: 'tags', header: t('image.tags'), cell: ({ imageTags }) => <TagList tags={imageTags} /> },
        { id: 'until', header: t('retention.until'), cell: ({ until }) => (until === undefined ? t('retention.noEnd') : formatTime(until)) },
      ]}
    />
  );
}

/** The other image that keeps it. A deleted one has no page. */
function Keeper({ name, of: { kind, imageDigest } }: { name: string; of: RetentionReason }) {
  if (imageDigest === undefined || kind === 'DELETED_LAYER') return <Digest>{imageDigest}</Digest>;
  return (
    <NavLink to={repositoryPath(name, 'images', imageDigest)}>
      <Digest>{imageDigest}</Digest>
    </NavLink>
  );
}
