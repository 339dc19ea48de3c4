/** Why: a change of form is found between recordings, so it is added to the report of the later one. */
import { FindingList, withFindings } from './finding-list.ts';
import type { CheckReport } from './finding.ts';
import type { FormChange, FormOrigin } from './known-forms.ts';
import type { RuleName } from './rules.ts';
import { type SchemaChange, weightOf } from './schema-drift.ts';
import type { Standard } from './standard.ts';

/** Changes of one topic that its finding names; the rest is counted. */
const CHANGES_NAMED_MAX = 8;

/** Where the later recording stands in time. */
export type FormSpan = { readonly startNs: bigint; readonly endNs: bigint };

/** The report with what changed against known forms, and the verdict that follows from all of it. */
export function withFormChanges(
  report: CheckReport,
  changes: readonly FormChange[],
  { standard, later, span }: { readonly standard: Standard; readonly later: FormOrigin; readonly span: FormSpan },
): CheckReport {
  if (changes.length === 0) return report;
  const list = new FindingList(standard);
  for (const change of changes) addChange(list, change, { later, span });
  return withFindings(report, list.report(), standard);
}

function addChange(
  list: FindingList,
  change: FormChange,
  { later, span }: { readonly later: FormOrigin; readonly span: FormSpan },
): void {
  const { topic, changes, former } = change;
  const named = changes.slice(0, CHANGES_NAMED_MAX).map(describeChange);
  const more = changes.length > named.length ? `, and ${changes.length - named.length} more` : '';
  const { recording, vehicleId, softwareVersion } = former;
  list.add(ruleOf(change), {
    topic,
    fromNs: span.startNs,
    toNs: span.endNs,
    message: `${topic}: ${named.join(', ')}${more}; ${describeVersions(change, later)}, against recording ${recording} of ${vehicleId}`,
    evidence: {
      changes: changes.length,
      fields: changes
        .map(({ field }) => field)
        .filter((field) => field !== '')
        .slice(0, CHANGES_NAMED_MAX)
        .join(' '),
      vehicle: later.vehicleId,
      softwareVersion: later.softwareVersion,
      recording: later.recording,
      formerVehicle: vehicleId,
      formerSoftwareVersion: softwareVersion,
      formerRecording: recording,
    },
  });
}

function ruleOf({ changes, isVersioned }: FormChange): RuleName {
  const weight = weightOf(changes);
  if (weight === 'rate') return 'schema.rate';
  if (weight === 'extended') return isVersioned ? 'schema.extended' : 'schema.extended-unversioned';
  return isVersioned ? 'schema.changed' : 'schema.changed-unversioned';
}

function describeVersions({ former, isVersioned }: FormChange, later: FormOrigin): string {
  if (!isVersioned) return `without a change of the software version ${later.softwareVersion}`;
  if (former.softwareVersion === later.softwareVersion) return 'and the software version is not known';
  return `between software ${former.softwareVersion} and ${later.softwareVersion}`;
}

function describeChange({ what, field, before, after }: SchemaChange): string {
  const named = [what, field].filter((text) => text !== '').join(' ');
  if (what === 'schema text') return 'the text of its schema';
  return before === '' && after === '' ? named : `${named} (${before || 'none'} before, ${after || 'none'} now)`;
}
