/** Why: a change of form is found between recordings, so it is added to the report of the later one. */
import type { CheckedFile, FileReport } from './check-files.ts';
import { FindingList } from './finding-list.ts';
import { findSchemaChanges, type RecordingForm, type SchemaChange } from './schema-drift.ts';
import type { Standard } from './standard.ts';

/** The reports, with the changes against earlier recordings of the same vehicle. */
export function withSchemaChanges(checked: readonly CheckedFile[], standard: Standard): readonly FileReport[] {
  const byForm = new Map(checked.flatMap(({ form, report }) => (form === undefined ? [] : [[form, report] as const])));
  const lists = new Map<RecordingForm, FindingList>();
  for (const { former, later, changes } of findSchemaChanges([...byForm.keys()])) {
    const list = lists.get(later) ?? new FindingList(standard);
    lists.set(later, list);
    for (const change of changes) addChange(list, change, { former, later, file: byForm.get(former)?.file ?? '' });
  }
  return checked.map(({ form, report }) => {
    const more = form === undefined ? undefined : lists.get(form)?.report();
    if (more === undefined || more.findings.length === 0) return report;
    const verdict = report.verdict === 'accepted' ? more.verdict : report.verdict;
    return { ...report, verdict, findings: [...report.findings, ...more.findings] };
  });
}

function addChange(
  list: FindingList,
  { topic, what, field, before, after }: SchemaChange,
  { former, later, file }: { readonly former: RecordingForm; readonly later: RecordingForm; readonly file: string },
): void {
  const versions =
    former.softwareVersion === later.softwareVersion
      ? `without a change of the software version ${later.softwareVersion}`
      : `between software ${former.softwareVersion} and ${later.softwareVersion}`;
  const change = [what, field].filter((text) => text !== '').join(' ');
  list.add('schema.changed', {
    topic,
    fromNs: later.startNs,
    toNs: later.startNs,
    message: `${topic}: ${change}${before === '' && after === '' ? '' : ` (${before || 'none'} before, ${after || 'none'} now)`}, ${versions}`,
    evidence: { what, field, before, after, formerFile: file, vehicle: later.vehicle },
  });
}
