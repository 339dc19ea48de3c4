/** Reads, writes and sends the runs of an import, a few at once; one bad run does not stop the others. */
import { FleetError } from '@fleetloop/schemas';
import type { Source } from '@fleetloop/schemas/source';
import type { ImportOutcome } from '../ingest/ports.ts';
import { boundedMap } from '../workflow/bounded-map.ts';
import type { PlannedRun } from './import-plan.ts';
import { writeRecording } from './write-recording.ts';

/** Runs in work at once: one is decoded here while another is checked at the other end. */
export const RUNS_AT_ONCE = 3;
/** Largest recording that is built in memory, bytes. */
export const RECORDING_IN_MEMORY_BYTES_MAX = 512 * 1024 * 1024;

type GoodRun = ImportOutcome & {
  readonly state: 'accepted' | 'known';
  readonly source: string;
  readonly session: string;
  readonly messages: number;
  readonly sizeBytes: number;
  readonly label: string | null;
};
type BadRun = {
  readonly state: 'quarantined' | 'failed';
  readonly source: string;
  readonly code: string;
  readonly message: string;
};
export type ImportedRun = GoodRun | BadRun;

export type ImportReport = {
  readonly accepted: number;
  /** In the catalogue before, byte for byte. */
  readonly known: number;
  /** Refused by the control plane, which keeps them with the reason. */
  readonly quarantined: number;
  /** Could not be read from their source. */
  readonly failed: number;
  readonly runs: readonly ImportedRun[];
};

export type ImportParts = {
  readonly open: (run: PlannedRun) => Promise<Source>;
  readonly send: (bytes: Uint8Array, run: PlannedRun) => Promise<ImportOutcome>;
  readonly onRun?: (run: ImportedRun) => void;
};

/** @throws FleetError that concerns all runs, e.g. API_UNAVAILABLE; importing everything again is harmless */
export async function importRuns(runs: readonly PlannedRun[], parts: ImportParts): Promise<ImportReport> {
  const done = await boundedMap(runs, RUNS_AT_ONCE, async (run) => {
    const imported = await importRun(run, parts);
    parts.onRun?.(imported);
    return imported;
  });
  const count = (state: ImportedRun['state']): number => done.filter((run) => run.state === state).length;
  return {
    accepted: count('accepted'),
    known: count('known'),
    quarantined: count('quarantined'),
    failed: count('failed'),
    runs: done,
  };
}

async function importRun(run: PlannedRun, parts: ImportParts): Promise<ImportedRun> {
  try {
    const { bytes, ...written } = await buildRecording(run, parts);
    const outcome = await parts.send(bytes, run);
    return {
      state: outcome.isNew ? 'accepted' : 'known',
      source: run.source,
      label: run.label ?? null,
      ...outcome,
      ...written,
    };
  } catch (error) {
    const failure = FleetError.from(error);
    const state = stateOf(failure);
    if (state === undefined) throw failure;
    return { state, source: run.source, code: failure.code, message: failure.message };
  }
}

async function buildRecording(
  run: PlannedRun,
  parts: ImportParts,
): Promise<{
  readonly bytes: Uint8Array;
  readonly session: string;
  readonly messages: number;
  readonly sizeBytes: number;
}> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  const written = await writeRecording(await parts.open(run), run, async (piece) => {
    sizeBytes += piece.length;
    if (sizeBytes > RECORDING_IN_MEMORY_BYTES_MAX) {
      throw new FleetError(
        'SOURCE_LIMIT',
        `${run.source} makes a recording of more than ${RECORDING_IN_MEMORY_BYTES_MAX} bytes: import it in parts`,
      );
    }
    // The writer uses its buffer again.
    pieces.push(Uint8Array.from(piece));
  });
  return { bytes: Buffer.concat(pieces), ...written };
}

/** Undefined for a failure that is not about the one run. */
function stateOf(failure: FleetError): 'quarantined' | 'failed' | undefined {
  if (failure.code.startsWith('INGEST_')) return 'quarantined';
  const isAboutSource = ['SOURCE_', 'MAPPING_', 'DBC_', 'SIGNAL_', 'UNIT_'].some((stage) =>
    failure.code.startsWith(stage),
  );
  return isAboutSource ? 'failed' : undefined;
}
