/**
 * The end of every way in: a recording that was read, hashed and checked becomes a blob and then, in one ledger commit, facts.
 * Blob first, facts second: what the ledger names is always there, and a crash between the two is repeated without a trace.
 */
import { type Digest, FleetError, type NewFact } from '@fleetloop/schemas';
import { encodeEntry } from '../ledger/entry-coding.ts';
import type { BlobStore, Ledger } from '../ports.ts';
import { reportBytes } from '../quality/checked-fact.ts';
import type { CheckReport, Finding } from '../quality/finding.ts';
import { originOf } from '../quality/known-forms.ts';
import type { SchemaWatch, WatchedRecording, WatchOutcome } from '../quality/schema-watch.ts';
import type { Accepted, AcceptedRecordings } from './accepted-recordings.ts';
import {
  acceptedFact,
  type Appended,
  appendOnce,
  checkedFact,
  hexOf,
  labelFact,
  lastEntryOf,
  releasedFact,
  subjectOf,
} from './facts.ts';
import { KeyedTurns } from './keyed-turns.ts';
import type { Label, Release } from './ports.ts';
import type { RecordingSummary } from './recording-check.ts';

/** Findings that a refusal names; all of them are in the report. */
const FINDINGS_NAMED_MAX = 3;
/** Times that forms are compared anew because another process introduced some. */
const ATTEMPTS_MAX = 3;

export type RecordingFilerParts = {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  readonly accepted: AcceptedRecordings;
  readonly watch: SchemaWatch;
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
  /** Somebody takes it in although it breaks the standard. */
  readonly release?: Release | undefined;
};

/** Without a report where no standard was asked. */
type Judged = Partial<Pick<WatchOutcome, 'introduced'>> & { readonly report: CheckReport | undefined };

/** `report` holds what changed against other recordings, too; absent for one that was known. */
export type Filed = Omit<Appended, 'sequences'> & { readonly report?: CheckReport | undefined };

export class RecordingFiler {
  readonly #parts: RecordingFilerParts;
  readonly #turns = new KeyedTurns();

  constructor(parts: RecordingFilerParts) {
    this.#parts = parts;
  }

  /**
   * Files a recording once, however often it arrives; a label is a fact of its own and may still be new.
   * @throws FleetError INGEST_STANDARD before anything but the report is stored, and what blob store and ledger throw
   */
  async file(arrived: ArrivedRecording): Promise<Filed> {
    const watched = watchedOf(arrived);
    const turn = watched === undefined ? undefined : this.#parts.watch.turnOf(watched);
    const file = async (): Promise<Filed> => this.#file(arrived, watched);
    return turn === undefined ? file() : this.#turns.run(turn, file);
  }

  async #file(arrived: ArrivedRecording, watched: WatchedRecording | undefined): Promise<Filed> {
    const { accepted, blobs } = this.#parts;
    const known = accepted.find(arrived.digest);
    if (known !== undefined) return this.#labelKnown(arrived, known);
    const judged = this.#judge(arrived, watched);
    if (isBroken(arrived, judged)) throw await this.#refusal(arrived, judged.report);
    assertFitsLedger(arrived);
    const { path, digest } = arrived;
    await blobs.adopt(path, digest, { isChecked: true });
    const manifest = arrived.manifest === undefined ? null : await blobs.put(arrived.manifest);
    const { appended, report } = await this.#append(arrived, { watched, judged, manifest });
    return appended.isNew
      ? { ...appended, report }
      : this.#labelKnown(arrived, { recording: digest, sequence: appended.sequence });
  }

  #judge({ summary }: ArrivedRecording, watched: WatchedRecording | undefined): Judged {
    return watched === undefined ? { report: summary.report } : this.#parts.watch.judge(watched);
  }

  /** INGEST_STANDARD naming the worst findings and, in its details, the blob with all of them. */
  async #refusal({ summary }: ArrivedRecording, report: CheckReport): Promise<FleetError> {
    const { standard, findings } = report;
    const named = findings.slice(0, FINDINGS_NAMED_MAX).map(describeFinding);
    const more = findings.length > named.length ? `; and ${findings.length - named.length} more` : '';
    return new FleetError(
      'INGEST_STANDARD',
      `the recording breaks the standard ${standard.name} ${standard.version}: ${named.join('; ')}${more}`,
      { details: { report: await this.#parts.blobs.put(reportBytes(report, summary.forms)) } },
    );
  }

  /** Who decided on forms that another process changed meanwhile decides anew. */
  async #append(
    arrived: ArrivedRecording,
    decided: {
      readonly watched: WatchedRecording | undefined;
      readonly judged: Judged;
      readonly manifest: Digest | null;
    },
  ): Promise<{ readonly appended: Appended; readonly report: CheckReport | undefined }> {
    const { ledger, watch, accepted } = this.#parts;
    const { watched, manifest } = decided;
    const { digest, sizeBytes, summary, source, actor, importKey } = arrived;
    const fact = acceptedFact({ digest, sizeBytes, summary, source, manifest, actor, importKey });
    let { judged } = decided;
    for (let attempt = 1; ; attempt += 1) {
      const { introduced, report } = judged;
      const facts = [fact, ...(await this.#furtherFacts(arrived, judged))] as const;
      const expect = introduced === undefined ? {} : { [subjectOf(introduced.fact)]: introduced.formerSequence };
      try {
        const appended = await appendOnce(ledger, facts, expect);
        accepted.add(fact.body, appended.sequence);
        if (appended.isNew)
          for (const [index, sequence] of appended.sequences.entries())
            watch.add({ sequence, entry: facts[index] as NewFact });
        else await watch.catchUp(ledger);
        return { appended, report };
      } catch (error) {
        if (FleetError.from(error).code !== 'LEDGER_CONFLICT' || attempt === ATTEMPTS_MAX) throw error;
        await watch.catchUp(ledger);
        judged = this.#judge(arrived, watched);
        // Its file has become a blob: it has to come once more to be kept as evidence.
        if (isBroken(arrived, judged)) throw error;
      }
    }
  }

  /** What stands or falls with the acceptance. */
  async #furtherFacts(
    { digest, label, actor, summary, release }: ArrivedRecording,
    { report, introduced }: Judged,
  ): Promise<readonly NewFact[]> {
    const further = [
      ...(label === undefined ? [] : [labelFact(digest, label, actor)]),
      ...(release === undefined ? [] : [releasedFact(digest, release, actor)]),
      ...(introduced === undefined ? [] : [introduced.fact]),
    ];
    if (report === undefined) return further;
    const blob = await this.#parts.blobs.put(reportBytes(report, summary.forms));
    return [checkedFact({ digest, checked: report, report: blob }), ...further];
  }

  async #labelKnown({ digest, label, actor }: ArrivedRecording, { sequence }: Accepted): Promise<Filed> {
    const known = { sequence, lastSequence: sequence, isNew: false };
    if (label === undefined) return known;
    const former = await lastEntryOf(this.#parts.ledger, `label.${hexOf(digest)}`);
    if (former?.entry.kind === 'label.assigned' && former.entry.body.label === label.label)
      return { ...known, lastSequence: former.sequence };
    const { sequences } = await this.#parts.ledger.append([labelFact(digest, label, actor)]);
    return { ...known, lastSequence: sequences[0] ?? sequence };
  }
}

/** What is watched of it; undefined where no standard was asked. */
function watchedOf({ digest, summary }: ArrivedRecording): WatchedRecording | undefined {
  const { report, forms: topics, metadata, startNs, endNs } = summary;
  return report === undefined ? undefined : { origin: originOf(digest, metadata), topics, report, startNs, endNs };
}

/** The standard keeps it out, and nobody has decided otherwise. */
function isBroken({ release }: ArrivedRecording, judged: Judged): judged is Judged & { readonly report: CheckReport } {
  return release === undefined && judged.report?.verdict === 'quarantined';
}

function describeFinding({ rule, topic, message }: Finding): string {
  return `${rule}${topic === null ? '' : ` on ${topic}`}: ${message}`;
}

/**
 * Asked while the file still stands where quarantine finds it: once it is a blob, a refusal by the ledger comes too late.
 * @throws FleetError LEDGER_ENTRY_INVALID for a recording whose topics or metadata no entry can hold
 */
function assertFitsLedger({ digest, sizeBytes, summary, source, actor, importKey }: ArrivedRecording): void {
  const fact = acceptedFact({ digest, sizeBytes, summary, source, manifest: digest, actor, importKey });
  encodeEntry(fact, new Date(0));
}
