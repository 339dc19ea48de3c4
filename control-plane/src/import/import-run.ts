/** One run of an import: known already, sent as it is, or decoded into a file and sent. */
import type { Digest, FleetError } from '@fleetloop/schemas';
import type { Source } from '@fleetloop/schemas/source';
import type { FindingCounts, ImportOutcome } from '../ingest/ports.ts';
import { importKey } from './import-key.ts';
import type { PlannedRun } from './import-plan.ts';
import { writeRecording } from './write-recording.ts';

/** A session that is open, and all that its content depends on. */
export type OpenedRun = {
  readonly source: Source;
  readonly mapping: unknown;
  /** Files that the mapping itself names. */
  readonly mappingFiles: readonly string[];
};

/** A file that is written, hashed on the way, and removed again. */
export type WorkFile = AsyncDisposable & {
  readonly path: string;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly finish: () => Promise<Digest>;
};

export type RecordingToSend = { readonly path: string; readonly digest: Digest; readonly sizeBytes: number };
export type SendOrder = {
  readonly importKey: Digest;
  readonly label: { readonly label: string; readonly method: string } | undefined;
  readonly signal: AbortSignal;
  readonly onBytes: (sentBytes: number) => void;
};

/** Where recordings go: the API of a control plane, or the ingest of this process. */
export type ImportTarget = {
  /** What became of an import with this key before, with the label that stands. */
  readonly find: (key: Digest) => Promise<KnownRecording | undefined>;
  readonly assignLabel: (
    recording: Digest,
    label: { readonly label: string; readonly method: string },
  ) => Promise<void>;
  /** @throws FleetError INGEST_* when the recording is refused */
  readonly send: (recording: RecordingToSend, order: SendOrder) => Promise<ImportOutcome>;
};

export type KnownRecording = {
  readonly recording: Digest;
  readonly sequence: number;
  readonly session: string;
  readonly messages: number;
  readonly sizeBytes: number;
  readonly label: string | null;
};

/** What reading and writing runs needs of the disk. */
export type ImportDisk = {
  readonly open: (run: PlannedRun, signal: AbortSignal) => Promise<OpenedRun>;
  readonly isFleetRecording: (path: string) => Promise<boolean>;
  readonly digestOf: (
    path: string,
    signal: AbortSignal,
  ) => Promise<{ readonly digest: Digest; readonly sizeBytes: number }>;
  readonly openWorkFile: () => Promise<WorkFile>;
};

export type GoodRun = {
  readonly state: 'accepted' | 'known';
  readonly source: string;
  readonly recording: Digest;
  readonly sequence: number;
  readonly session: string;
  readonly messages: number;
  readonly sizeBytes: number;
  readonly label: string | null;
  readonly findings?: FindingCounts;
};

export type RunParts = {
  readonly disk: ImportDisk;
  readonly target: ImportTarget;
  readonly signal: AbortSignal;
  /** Told now and then how far the run is; not part of the answer. */
  readonly onStep: (run: PlannedRun, step: RunStep) => void;
};
export type RunStep =
  | { readonly kind: 'decoded'; readonly messages: number }
  | { readonly kind: 'sent'; readonly bytes: number; readonly ofBytes: number };

/** @throws FleetError about the run (SOURCE_*, MAPPING_*, INGEST_*) or about all runs (API_UNAVAILABLE) */
export async function importRun(run: PlannedRun, parts: RunParts): Promise<GoodRun> {
  if (run.mapping === undefined && (await parts.disk.isFleetRecording(run.source))) return sendAsItIs(run, parts);
  return decodeAndSend(run, parts);
}

/** A recording of ours keeps its bytes, so that its digest stays the one that the vehicle named. */
async function sendAsItIs(run: PlannedRun, parts: RunParts): Promise<GoodRun> {
  const { digest, sizeBytes } = await parts.disk.digestOf(run.source, parts.signal);
  const known = await parts.target.find(digest);
  if (known !== undefined) return knownRun(run, known, parts.target);
  return send(run, { recording: { path: run.source, digest, sizeBytes }, key: digest }, parts);
}

async function decodeAndSend(run: PlannedRun, parts: RunParts): Promise<GoodRun> {
  const { disk, target, signal, onStep } = parts;
  const { source, mapping, mappingFiles } = await disk.open(run, signal);
  const files = [];
  for (const path of [...source.description.files, ...mappingFiles])
    files.push({ path, digest: (await disk.digestOf(path, signal)).digest });
  const key = importKey({ run, files, mapping });
  const known = await target.find(key);
  if (known !== undefined) return knownRun(run, known, target);
  await using file = await disk.openWorkFile();
  const { sizeBytes } = await writeRecording(source, run, {
    write: file.write,
    signal,
    onMessages: (messages) => onStep(run, { kind: 'decoded', messages }),
  });
  // The file goes away at the end of this function.
  return await send(run, { recording: { path: file.path, digest: await file.finish(), sizeBytes }, key }, parts);
}

async function send(
  run: PlannedRun,
  { recording, key }: { readonly recording: RecordingToSend; readonly key: Digest },
  { target, signal, onStep }: RunParts,
): Promise<GoodRun> {
  const { isNew, ...outcome } = await target.send(recording, {
    importKey: key,
    label: labelOf(run),
    signal,
    onBytes: (bytes) => onStep(run, { kind: 'sent', bytes, ofBytes: recording.sizeBytes }),
  });
  return { ...outcome, state: isNew ? 'accepted' : 'known', source: run.source, label: run.label ?? null };
}

async function knownRun(run: PlannedRun, known: KnownRecording, target: ImportTarget): Promise<GoodRun> {
  const label = labelOf(run);
  if (label !== undefined && label.label !== known.label) await target.assignLabel(known.recording, label);
  return { ...known, state: 'known', source: run.source, label: run.label ?? known.label };
}

function labelOf({ label, method }: PlannedRun): SendOrder['label'] {
  return label === undefined ? undefined : { label, method };
}

/** Undefined for a failure that is not about the one run. */
export function stateOfFailure(failure: FleetError): 'quarantined' | 'failed' | undefined {
  if (failure.code.startsWith('INGEST_')) return 'quarantined';
  const isAboutSource = ['SOURCE_', 'MAPPING_', 'DBC_', 'SIGNAL_', 'UNIT_', 'TIME_'].some((stage) =>
    failure.code.startsWith(stage),
  );
  return isAboutSource ? 'failed' : undefined;
}
