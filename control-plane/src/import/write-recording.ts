/** Turns one source session into a recording: the same bytes for the same input, so that importing twice adds nothing. */
import { FleetError, type RecordingMetadata } from '@fleetloop/schemas';
import { RecordingWriter } from '@fleetloop/schemas/recording';
import type { Source } from '@fleetloop/schemas/source';
import type { PlannedRun } from './import-plan.ts';

export const IMPORT_SOFTWARE = 'fleetloop-import';

/** Where the bytes go; each call returns when they are written. */
export type WriteBytes = (bytes: Uint8Array) => Promise<void>;
export type WrittenRecording = { readonly session: string; readonly messages: number; readonly sizeBytes: number };
export type WriteOptions = {
  readonly write: WriteBytes;
  readonly signal?: AbortSignal;
  /** Told now and then how many messages are written. */
  readonly onMessages?: (messages: number) => void;
};

/** @throws FleetError SOURCE_* when a row of the source is wrong, IMPORT_INVALID when nobody names the vehicle */
export async function writeRecording(
  source: Source,
  run: PlannedRun,
  { write, signal, onMessages }: WriteOptions,
): Promise<WrittenRecording> {
  let sizeBytes = 0;
  const sink = {
    write: async (bytes: Uint8Array) => {
      await write(bytes);
      sizeBytes += bytes.length;
    },
  };
  const metadata = metadataOf(source, run);
  const writer = await RecordingWriter.open(sink, metadata);
  let messages = 0;
  for await (const batch of source.batches()) {
    signal?.throwIfAborted();
    for (const message of batch) await writer.write(message);
    messages += batch.length;
    onMessages?.(messages);
  }
  if (messages === 0)
    throw new FleetError('SOURCE_EMPTY', `${run.source} holds no message: there is nothing to import`);
  await writer.close();
  return { session: metadata.session.name, messages, sizeBytes };
}

function metadataOf(source: Source, run: PlannedRun): RecordingMetadata {
  if (run.vehicleId === undefined)
    throw new FleetError(
      'IMPORT_INVALID',
      `the run of ${run.source} names no vehicle: give one for it or for all runs (--vehicle)`,
    );
  return {
    vehicle: { id: run.vehicleId, hardwareRevision: run.hardwareRevision },
    software: { name: IMPORT_SOFTWARE, version: run.softwareVersion },
    session: {
      name: run.session ?? source.description.session,
      attributes: { ...source.description.attributes, ...run.attributes },
    },
    // The files carry no statement about their clock.
    clock: { source: 'source-file', uncertaintyNs: '0' },
    ...(Object.keys(run.circumstances).length === 0 ? {} : { circumstances: run.circumstances }),
    gaps: [],
    loss: {},
  };
}
