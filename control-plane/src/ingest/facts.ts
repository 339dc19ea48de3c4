/** The facts that ingest writes, and the ledger keys that make each of them happen once. */
import { type Digest, entityOfKind, FleetError, type NewFact } from '@fleetloop/schemas';
import type { Ledger, StoredEntry } from '../ports.ts';
import { checkedBody } from '../quality/checked-fact.ts';
import type { CheckReport } from '../quality/finding.ts';
import type { Label, QuarantineReason, Release } from './ports.ts';
import type { RecordingSummary } from './recording-check.ts';

export const INGEST_ACTOR = 'ingest';

/** The 64 hex digits of a digest: one NATS subject token. */
export const hexOf = (digest: Digest): string => digest.slice('sha256:'.length);

export type AcceptedRecording = {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly summary: RecordingSummary;
  readonly source: 'uplink' | 'import';
  readonly manifest: Digest | null;
  readonly actor: string;
  readonly importKey: Digest | undefined;
};

export function acceptedFact(recording: AcceptedRecording): NewFact & { readonly kind: 'recording.accepted' } {
  const { digest, sizeBytes, summary, source, manifest, actor, importKey } = recording;
  return {
    kind: 'recording.accepted',
    key: hexOf(digest),
    actor,
    evidence: manifest === null ? [digest] : [digest, manifest],
    body: {
      recording: digest,
      source,
      sizeBytes,
      messages: summary.messages,
      startNs: String(summary.startNs),
      endNs: String(summary.endNs),
      topics: summary.topics,
      metadata: summary.metadata,
      manifest,
      ...(summary.timeOfDay === undefined ? {} : { timeOfDay: summary.timeOfDay }),
      ...(importKey === undefined ? {} : { importKey }),
    },
  };
}

/** Ingest itself is the actor: whoever brought the recording had no say in what was found. */
export function checkedFact(check: {
  readonly digest: Digest;
  readonly checked: CheckReport;
  readonly report: Digest;
}): NewFact {
  const { digest, checked, report } = check;
  return {
    kind: 'recording.checked',
    key: hexOf(digest),
    actor: INGEST_ACTOR,
    evidence: [digest, report],
    body: checkedBody(digest, checked, report),
  };
}

/** Beside the acceptance: who decided against the standard, and why. */
export function releasedFact(recording: Digest, release: Release, actor: string): NewFact {
  const { quarantine, reason } = release;
  return {
    kind: 'recording.released',
    key: hexOf(recording),
    actor,
    evidence: [recording],
    body: { recording, quarantine, reason },
  };
}

export function labelFact(recording: Digest, { label, method, annotator }: Label, actor: string): NewFact {
  const by = annotator ?? actor;
  return {
    kind: 'label.assigned',
    key: hexOf(recording),
    actor: by,
    evidence: [recording],
    body: { recording, label, method, annotator: by },
  };
}

/** Refusals have keys of their own: a forged manifest about somebody's recording must not stand in the way of the true one. */
export function quarantineKey(refused: Digest): string {
  return `q-${hexOf(refused)}`;
}

export function quarantinedFact(key: string, reason: QuarantineReason, actor: string): NewFact {
  const evidence = reason.report === undefined ? [] : [reason.report];
  return { kind: 'recording.quarantined', key, actor, evidence, body: { ...reason } };
}

/** Ledger subject of a fact, as `append` expects it in `expect`. */
export function subjectOf(fact: Pick<NewFact, 'kind' | 'key'>): string {
  return `${entityOfKind(fact.kind)}.${fact.key}`;
}

/** `sequences` are those of the facts that this call wrote; they need not follow each other. */
export type Appended = {
  readonly sequence: number;
  readonly lastSequence: number;
  readonly isNew: boolean;
  readonly sequences: readonly number[];
};

/**
 * Appends facts of which the first must be the first of its subject. Somebody may have been faster, or an answer may have
 * been lost after the ledger had stored it: then the stored entry is the outcome.
 * @returns the sequence of the first fact and of the last one, and whether this call wrote them
 * @throws FleetError LEDGER_CONFLICT when somebody wrote to a subject of `expect` since
 */
export async function appendOnce(
  ledger: Ledger,
  facts: readonly [NewFact, ...NewFact[]],
  expect: Readonly<Record<string, number>> = {},
): Promise<Appended> {
  const subject = subjectOf(facts[0]);
  try {
    const { sequences } = await ledger.append(facts, { expect: { ...expect, [subject]: 0 } });
    const [sequence] = sequences;
    if (sequence === undefined)
      throw new FleetError('INTERNAL_UNEXPECTED', `the ledger stored ${subject} without a sequence`);
    return { sequence, lastSequence: sequences.at(-1) ?? sequence, isNew: true, sequences };
  } catch (error) {
    if (!(error instanceof FleetError) || error.code !== 'LEDGER_CONFLICT') throw error;
    const sequence = await ledger.lastSequenceOf(subject);
    if (sequence === 0) throw error;
    return { sequence, lastSequence: sequence, isNew: false, sequences: [] };
  }
}

/** The last entry of a ledger subject, or undefined. */
export async function lastEntryOf(ledger: Ledger, subject: string): Promise<StoredEntry | undefined> {
  const sequence = await ledger.lastSequenceOf(subject);
  if (sequence === 0) return undefined;
  for await (const stored of ledger.read({ fromSequence: sequence, toSequence: sequence })) return stored;
  return undefined;
}
