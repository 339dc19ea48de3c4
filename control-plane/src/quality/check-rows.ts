/** Why: the rows of the projection that one check adds. */
import type { FactBody } from '@fleetloop/schemas';
import { row, type TableRow } from '../projection/tables.ts';

export function checkRows(body: FactBody<'recording.checked'>): readonly TableRow[] {
  const { recording, standard, verdict, findings, count, report } = body;
  const check = row('checks', {
    recording,
    standard: standard.name,
    standard_version: standard.version,
    verdict,
    infos: count.info,
    warnings: count.warning,
    errors: count.error,
    report,
  });
  const rows = findings.map(({ fromNs, toNs, ...finding }, position) =>
    row('findings', {
      ...finding,
      recording,
      position,
      from_ns: fromNs,
      to_ns: toNs,
      verdict,
      standard: standard.name,
    }),
  );
  return [check, ...rows];
}
