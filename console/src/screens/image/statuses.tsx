import StatusIndicator, { type StatusIndicatorProps } from '@cloudscape-design/components/status-indicator';

import type { ImageDetail, ImageSigningStatus } from '../../api/ecr';
import { nameOf, t } from '../../messages';

const TYPES: Record<string, StatusIndicatorProps.Type> = {
  ACTIVE: 'success',
  ACTIVATING: 'in-progress',
  ARCHIVED: 'stopped',
  COMPLETE: 'success',
  FAILED: 'error',
  IN_PROGRESS: 'in-progress',
  PENDING: 'pending',
};

/** The status of something of an image: a scan, a signature, a copy elsewhere. */
export function Status({ of }: { of: string | undefined }) {
  if (of === undefined) return <>–</>;
  return <StatusIndicator type={TYPES[of] ?? 'info'}>{nameOf('status', of)}</StatusIndicator>;
}

const SEVERITIES = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'INFORMATIONAL', 'UNDEFINED'] as const;
export { SEVERITIES };

/** What a scan found: its status, or the worst findings when it is complete. */
export function ScanStatus({ image }: { image: ImageDetail }) {
  const status = image.imageScanStatus?.status;
  const counts: Record<string, number> = image.imageScanFindingsSummary?.findingSeverityCounts ?? {};
  if (status !== 'COMPLETE' && status !== 'ACTIVE') return <Status of={status} />;
  const worst = SEVERITIES.filter((severity) => (counts[severity] ?? 0) > 0).slice(0, 2);
  if (worst.length === 0) return <StatusIndicator type="success">{t('scan.nothing')}</StatusIndicator>;
  const text = worst.map((severity) => `${nameOf('severity', severity)}: ${counts[severity] ?? 0}`).join(', ');
  return <StatusIndicator type={worst[0] === 'CRITICAL' || worst[0] === 'HIGH' ? 'error' : 'warning'}>{text}</StatusIndicator>;
}

/** Whether an image is signed as the rules want: complete when all signatures are. */
export function SigningStatus({ of }: { of: ImageSigningStatus[] | null | undefined }) {
  if (of === undefined) return <Status of="PENDING" />;
  if (of === null) return <>–</>;
  if (of.length === 0) return <>{t('signing.notSigned')}</>;
  const worst = ['FAILED', 'IN_PROGRESS', 'COMPLETE'].find((status) => of.some((one) => one.status === status));
  return <Status of={worst} />;
}
