/**
 * The end of every way in: a recording that was read, hashed and checked becomes a blob and then, in one ledger commit, facts.
 * Blob first, facts second: what the ledger names is always there, and a crash between the two is repeated without a trace.
 */
import { type Digest, FleetError, type NewFact } from '@fleetloop/schemas';
import type { BlobStore, Ledger } from '../ports.ts';
import { reportBytes } from '../quality/checked-fact.ts';
import type { Finding } from '../quality/finding.ts';
import type { Accepted, AcceptedRecordings } from './accepted-recordings.ts';
import { acceptedFact, type Appended, appendOnce, checkedFact, hexOf, labelFact, lastEntryOf } from './facts.ts';
import type { RecordingSummary } from './recording-check.ts';

/** Findings that a refusal names; all of them are in the report. */
const FINDINGS_NAMED_MAX = 3;

export type RecordingFilerParts = {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  readonly accepted: AcceptedRecordings;
};

/** A recording that holds, in a file that the filer may move away. */
export type ArrivedRecording = {
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly summary: RecordingSummary;
  readonly source: 'uplink' | 'import';
  readonly actor: string;
  /** The signed message that brought it. */
  readonly manifest?: Uint8Array;
  readonly label?: Label | undefined;
  readonly importKey?: Digest | undefined;
};

export type Label = { readonly label: string; readonly method: string };

export class RecordingFiler {
  readonly #parts: RecordingFilerParts;

  constructor(parts: RecordingFilerParts) {
    this.#parts = parts;
  }

  /**
   * Files a recording once, however often it arrives; a label is a fact of its own and may still be new.
   * @throws FleetError INGEST_STANDARD before anything is stored, and what blob store and ledger throw
   */
  async file(arrived: ArrivedRecording): Promise<Appended> {
    assertStandard(arrived.summary);
    const { accepted } = this.#parts;
    const known = accepted.find(arrived.digest);
    if (known !== undefined) return this.#labelKnown(arrived, known);
    const { path, digest, source, actor } = arrived;
    await this.#parts.blobs.adopt(path, digest, { isChecked: true });
    const manifest = arrived.manifest === undefined ? null : await this.#parts.blobs.put(arrived.manifest);
    const { sizeBytes, summary, importKey } = arrived;
    const fact = acceptedFact({ digest, sizeBytes, summary, source, manifest, actor, importKey });
    const appended = await appendOnce(this.#parts.ledger, [fact, ...(await this.#furtherFacts(arrived))]);
    accepted.add(fact.body, appended.sequence);
    return appended.isNew ? appended : this.#labelKnown(arrived, { recording: digest, sequence: appended.sequence });
  }

  /** What stands or falls with the acceptance. */
  async #furtherFacts({ digest, label, actor, summary }: ArrivedRecording): Promise<readonly NewFact[]> {
    const labels = label === undefined ? [] : [labelFact(digest, label, actor)];
    if (summary.report === undefined) return labels;
    const report = await this.#parts.blobs.put(reportBytes(summary.report));
    return [checkedFact({ digest, checked: summary.report, report }), ...labels];
  }

  async #labelKnown({ digest, label, actor }: ArrivedRecording, { sequence }: Accepted): Promise<Appended> {
    const known = { sequence, lastSequence: sequence, isNew: false };
    if (label === undefined) return known;
    const former = await lastEntryOf(this.#parts.ledger, `label.${hexOf(digest)}`);
    if (former?.entry.kind === 'label.assigned' && former.entry.body.label === label.label)
      return { ...known, lastSequence: former.sequence };
    const { sequences } = await this.#parts.ledger.append([labelFact(digest, label, actor)]);
    return { ...known, lastSequence: sequences[0] ?? sequence };
  }
}

/** @throws FleetError INGEST_STANDARD naming the worst findings */
function assertStandard({ report }: RecordingSummary): void {
  if (report?.verdict !== 'quarantined') return;
  const { standard, findings } = report;
  const named = findings.slice(0, FINDINGS_NAMED_MAX).map(describeFinding);
  const more = findings.length > named.length ? `; and ${findings.length - named.length} more` : '';
  throw new FleetError(
    'INGEST_STANDARD',
    `the recording breaks the standard ${standard.name} ${standard.version}: ${named.join('; ')}${more}`,
  );
}

function describeFinding({ rule, topic, message }: Finding): string {
  return `${rule}${topic === null ? '' : ` on ${topic}`}: ${message}`;
}
