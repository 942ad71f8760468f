import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Header from '@cloudscape-design/components/header';
import Link from '@cloudscape-design/components/link';
import SegmentedControl from '@cloudscape-design/components/segmented-control';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { ecr } from '../../api/client';
import { isCode } from '../../api/errors';
import type { DescribeImageScanFindingsResponse } from '../../api/ecr';
import { setQuery, usePlace } from '../../app/router';
import { ErrorNote } from '../../components/ErrorNote';
import { Name } from '../../components/Name';
import { PagedTable } from '../../components/PagedTable';
import { useAction } from '../../components/useAction';
import { usePages } from '../../components/usePages';
import { formatTime, nameOf, t } from '../../messages';
import { type Finding, findingPage } from './findingPages';
import { SEVERITIES, Status } from './statuses';

interface FindingsProps {
  name: string;
  digest: string;
}

/** What the last scan found. */
export function Findings({ name, digest }: FindingsProps) {
  const severity = usePlace().query.get('severity') ?? '';
  const [scan, pages] = useFindings(name, digest, severity);
  const action = useAction();
  const start = async () => {
    const imageId = { imageDigest: digest };
    await action.run(async () => {
      await ecr('StartImageScan', { repositoryName: name, imageId });
    });
    pages.reload();
  };
  const counts: Record<string, number> = scan?.imageScanFindings?.findingSeverityCounts ?? {};
  return (
    <SpaceBetween size="m">
      <ErrorNote error={action.error} />
      <PagedTable<Finding>
        pages={pages}
        label={t('image.tab.findings')}
        trackBy={({ id }) => id}
        empty={scan?.imageScanStatus === undefined ? t('scan.never') : t('scan.nothing')}
        filter={
          <SegmentedControl
            label={t('scan.severity')}
            selectedId={severity}
            onChange={(event) => setQuery({ severity: event.detail.selectedId })}
            options={[
              { id: '', text: t('image.show.all') },
              ...SEVERITIES.filter((id) => id === severity || (counts[id] ?? 0) > 0).map((id) => ({ id, text: `${nameOf('severity', id)} (${counts[id] ?? 0})` })),
            ]}
          />
        }
        header={
          <Header
            variant="h2"
            description={scan === undefined ? undefined : <Summary of={scan} />}
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button iconName="refresh" ariaLabel={t('action.refresh')} onClick={pages.reload} />
                <Button loading={action.busy} onClick={() => void start()}>
                  {t('image.startScan')}
                </Button>
              </SpaceBetween>
            }
          >
            {t('image.tab.findings')}
          </Header>
        }
        columns={[
          { id: 'name', header: t('scan.vulnerability'), isRowHeader: true, cell: (finding) => <Vulnerability of={finding} /> },
          { id: 'severity', header: t('scan.severity'), cell: (finding) => nameOf('severity', finding.severity) },
          { id: 'score', header: t('scan.score'), cell: ({ score }) => score || '–' },
          { id: 'package', header: t('scan.package'), cell: ({ packages }) => <Name>{packages}</Name> },
          { id: 'fixed', header: t('scan.fixedIn'), cell: ({ fixedIn }) => <Name>{fixedIn || '–'}</Name> },
          { id: 'about', header: t('scan.description'), cell: ({ description }) => <Name>{shorten(description)}</Name> },
        ]}
      />
    </SpaceBetween>
  );
}

function useFindings(name: string, digest: string, severity: string) {
  const pages = usePages<Finding>(`findings ${name} ${digest} ${severity}`, (token, signal) =>
    findingPage(name, digest, severity, token, signal).catch((error: unknown) => {
      // An image that was never scanned is no failure of this screen.
      if (isCode(error, 'ScanNotFoundException')) return { items: [], nextToken: undefined, answer: {} };
      throw error;
    }),
  );
  const page = pages.data as { answer?: DescribeImageScanFindingsResponse } | undefined;
  return [page?.answer, pages] as const;
}

function Summary({ of }: { of: DescribeImageScanFindingsResponse }) {
  if (of.imageScanStatus === undefined) return <Box color="text-body-secondary">{t('scan.never')}</Box>;
  return (
    <SpaceBetween direction="horizontal" size="s">
      <Status of={of.imageScanStatus.status} />
      <Name>{of.imageScanStatus.description}</Name>
      <Box>{t('scan.completed', { time: formatTime(of.imageScanFindings?.imageScanCompletedAt) })}</Box>
    </SpaceBetween>
  );
}

/** The vulnerability, with a link to its description if that is an address of the web. */
function Vulnerability({ of }: { of: Finding }) {
  if (of.uri === undefined || !/^https?:\/\//.test(of.uri)) return <Name>{of.name}</Name>;
  return (
    <Link href={of.uri} external rel="noreferrer noopener" target="_blank">
      <Name>{of.name}</Name>
    </Link>
  );
}

function shorten(text: string | undefined): string {
  if (text === undefined) return '–';
  return text.length > 240 ? `${text.slice(0, 240)}…` : text;
}
