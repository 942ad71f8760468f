import Header from '@cloudscape-design/components/header';
import StatusIndicator from '@cloudscape-design/components/status-indicator';

import { moorage } from '../../api/moorage';
import type { GetServerStatusResponse, VerificationFinding } from '../../api/operating';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { usePages } from '../../components/usePages';
import { formatTime, nameOf, t } from '../../messages';

const PAGE = 25;

type LastVerification = NonNullable<GetServerStatusResponse['lastVerification']>;

/** The result of the last verification, in a few words. */
export function VerificationResult({ of: last }: { of: LastVerification | undefined }) {
  if (last === undefined) return <StatusIndicator type="info">{t('verification.never')}</StatusIndicator>;
  const { findings, unrepaired } = last;
  const type = unrepaired > 0 ? 'error' : findings > 0 ? 'warning' : 'success';
  const text = findings === 0 ? t('verification.intact') : t('verification.found', { findings, unrepaired });
  return (
    <StatusIndicator type={type}>
      {text}, {formatTime(last.endedAt)}
    </StatusIndicator>
  );
}

/** What the last verification found: layers and manifests that are damaged or missing, and unknown objects. */
export function VerificationFindings({ endedAt }: { endedAt: number }) {
  const pages = usePages<VerificationFinding>(`findings of the verification ${endedAt}`, async (nextToken, signal) => {
    const answer = await moorage('ListVerificationFindings', { maxResults: PAGE, ...(nextToken === undefined ? {} : { nextToken }) }, signal);
    return { items: answer.findings, nextToken: answer.nextToken };
  });
  return (
    <PagedTable
      pages={pages}
      label={t('verification.findings')}
      rows={3}
      trackBy={({ kind, name }) => `${kind} ${name}`}
      empty={t('state.none')}
      header={
        <Header variant="h2" description={t('verification.heal')}>
          {t('verification.findings')}
        </Header>
      }
      columns={[
        { id: 'kind', header: t('verification.kind'), minWidth: 170, isRowHeader: true, cell: ({ kind }) => nameOf('verification.kind', kind) },
        { id: 'name', header: t('verification.name'), cell: ({ name }) => <Name>{name}</Name> },
        { id: 'detail', header: t('verification.detail'), cell: ({ detail }) => <Name>{detail}</Name> },
        {
          id: 'state',
          header: t('image.status'),
          minWidth: 150,
          cell: ({ kind, isRepaired }) => <Repaired kind={kind} is={isRepaired} />,
        },
      ]}
    />
  );
}

function Repaired({ kind, is }: { kind: string; is: boolean }) {
  if (kind === 'unknown object') return <StatusIndicator type="info">{t('verification.aside')}</StatusIndicator>;
  return is ? (
    <StatusIndicator type="success">{t('verification.repaired')}</StatusIndicator>
  ) : (
    <StatusIndicator type="error">{t('verification.notRepaired')}</StatusIndicator>
  );
}
