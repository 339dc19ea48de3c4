/** Why: without a server there is no ledger to compare with, but the files of one call are compared with each other. */
import type { CheckedFile, FileReport, RecordingForm } from './check-files.ts';
import { type FormChange, KnownForms } from './known-forms.ts';
import { withFormChanges } from './schema-findings.ts';
import type { Standard } from './standard.ts';

/** The reports of files that are checked together, in the order of their drives, whatever the order of the files. */
export function withSchemaChanges(checked: readonly CheckedFile[], standard: Standard): readonly FileReport[] {
  const known = new KnownForms();
  const found = new Map<RecordingForm, readonly FormChange[]>();
  const forms = checked.flatMap(({ form }) => (form === undefined ? [] : [form]));
  for (const form of forms.toSorted((a, b) => (a.startNs < b.startNs ? -1 : Number(a.startNs > b.startNs)))) {
    const { changes, introduced } = known.compare(form.origin, form.topics);
    found.set(form, changes);
    known.addForms(form.origin, introduced);
    known.addVersion(form.origin);
  }
  return checked.map(({ form, report }) => {
    const changes = form === undefined ? [] : (found.get(form) ?? []);
    if (form === undefined || changes.length === 0) return report;
    const { file, ...own } = report;
    return { file, ...withFormChanges(own, changes, { standard, later: form.origin, span: form }) };
  });
}
