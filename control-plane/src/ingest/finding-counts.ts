/** How many findings of which weight a report has. */
import type { FindingCounts } from './ports.ts';
import type { CheckReport } from '../quality/finding.ts';

/** By severity. */
export function countFindings({ findings }: CheckReport): FindingCounts {
  const count = (severity: keyof FindingCounts): number =>
    findings.filter((finding) => finding.severity === severity).length;
  return { info: count('info'), warning: count('warning'), error: count('error') };
}
