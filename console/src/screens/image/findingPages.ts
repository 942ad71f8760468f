import { ecr } from '../../api/client';
import type { DescribeImageScanFindingsResponse, EnhancedImageScanFinding, ImageScanFinding } from '../../api/ecr';

/** A finding of either kind of scan. */
export interface Finding {
  id: string;
  severity: string;
  name: string;
  uri: string | undefined;
  description: string | undefined;
  packages: string;
  fixedIn: string;
  score: string;
}

export interface FindingPage {
  items: Finding[];
  nextToken: string | undefined;
  answer: DescribeImageScanFindingsResponse;
}

const PAGE = 100;
/** How many findings of the chosen severity are enough for a page. */
const ENOUGH = 25;

/**
 * A page of findings. The API cannot filter them by severity, so pages are read until there are enough; the browser
 * never has all findings.
 */
export async function findingPage(
  repositoryName: string,
  imageDigest: string,
  severity: string,
  token: string | undefined,
  signal: AbortSignal,
): Promise<FindingPage> {
  const items: Finding[] = [];
  let nextToken = token;
  for (;;) {
    const answer = await ecr(
      'DescribeImageScanFindings',
      { repositoryName, imageId: { imageDigest }, maxResults: severity === '' ? ENOUGH : PAGE, ...(nextToken === undefined ? {} : { nextToken }) },
      signal,
    );
    items.push(...findingsOf(answer).filter((finding) => severity === '' || finding.severity === severity));
    nextToken = answer.nextToken;
    if (severity === '' || items.length >= ENOUGH || nextToken === undefined) return { items, nextToken, answer };
  }
}

function findingsOf({ imageScanFindings }: DescribeImageScanFindingsResponse): Finding[] {
  const basic = (imageScanFindings?.findings ?? []).map(ofBasic);
  return [...basic, ...(imageScanFindings?.enhancedFindings ?? []).map(ofEnhanced)];
}

function ofBasic(finding: ImageScanFinding): Finding {
  const attributes = new Map((finding.attributes ?? []).map(({ key, value }) => [key, value ?? '']));
  const packages = [attributes.get('package_name'), attributes.get('package_version')].filter(Boolean).join(' ');
  return {
    id: `${finding.name ?? ''} ${packages}`,
    severity: finding.severity ?? 'UNDEFINED',
    name: finding.name ?? '',
    uri: finding.uri,
    description: finding.description,
    packages,
    fixedIn: attributes.get('fixed_version') ?? '',
    score: attributes.get('CVSS3_SCORE') ?? attributes.get('CVSS2_SCORE') ?? '',
  };
}

function ofEnhanced(finding: EnhancedImageScanFinding): Finding {
  const details = finding.packageVulnerabilityDetails;
  const packages = details?.vulnerablePackages ?? [];
  return {
    id: finding.findingArn ?? details?.vulnerabilityId ?? '',
    severity: finding.severity ?? 'UNDEFINED',
    name: details?.vulnerabilityId ?? finding.title ?? '',
    uri: details?.sourceUrl,
    description: finding.description,
    packages: packages.map(({ name = '', version = '' }) => `${name} ${version}`).join(', '),
    fixedIn: packages.flatMap(({ fixedInVersion }) => fixedInVersion ?? []).join(', '),
    score: finding.score === undefined ? '' : String(finding.score),
  };
}
