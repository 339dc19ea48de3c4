/** Why: who looks at one recording wants to know what was found in it, what its topics look like, and who let it in if not the standard. */
import { type FactBody, parseDigest } from '@fleetloop/schemas';
import type { BlobStore, Projection } from '../ports.ts';
import type { CheckReport } from '../quality/finding.ts';
import type { TopicForm } from '../quality/topic-form.ts';

export type RecordingQuality = {
  /** Null for a recording that no standard was asked about. */
  readonly check: Omit<FactBody<'recording.checked'>, 'recording'> | null;
  readonly forms: readonly TopicForm[];
  readonly released: { readonly at: string; readonly actor: string; readonly reason: string } | null;
};

/** The newest check of a recording, with the forms out of its report. @throws FleetError BLOB_NOT_FOUND */
export async function describeCheck(
  recording: string,
  projection: Projection,
  { blobs }: { readonly blobs: BlobStore },
): Promise<RecordingQuality> {
  const key = recording.slice('sha256:'.length);
  const checked = (await projection.facts('recording.checked', { key })).at(-1);
  const release = (await projection.facts('recording.released', { key })).at(-1);
  const released = release === undefined ? null : { at: release.at, actor: release.actor, reason: release.body.reason };
  if (checked === undefined) return { check: null, forms: [], released };
  const { recording: _, ...check } = checked.body;
  const report = JSON.parse(Buffer.from(await blobs.get(parseDigest(check.report))).toString('utf8')) as CheckReport & {
    readonly forms?: readonly TopicForm[];
  };
  return { check, forms: report.forms ?? [], released };
}
