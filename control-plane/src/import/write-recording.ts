/** Turns one source session into a recording: the same bytes for the same input, so that importing twice adds nothing. */
import type { RecordingMetadata } from '@fleetloop/schemas';
import { RecordingWriter } from '@fleetloop/schemas/recording';
import type { Source } from '@fleetloop/schemas/source';
import type { PlannedRun } from './import-plan.ts';

export const IMPORT_SOFTWARE = 'fleetloop-import';

/** Where the bytes go; each call returns when they are written. */
export type WriteBytes = (bytes: Uint8Array) => Promise<void>;
export type WrittenRecording = { readonly session: string; readonly messages: number; readonly sizeBytes: number };

/** @throws FleetError SOURCE_* when a row of the source is wrong */
export async function writeRecording(source: Source, run: PlannedRun, write: WriteBytes): Promise<WrittenRecording> {
  let position = 0n;
  const writable = {
    position: () => position,
    write: async (bytes: Uint8Array) => {
      await write(bytes);
      position += BigInt(bytes.length);
    },
  };
  const metadata = metadataOf(source, run);
  const writer = await RecordingWriter.open(writable, metadata);
  let messages = 0;
  for await (const batch of source.batches()) {
    for (const message of batch) await writer.write(message);
    messages += batch.length;
  }
  await writer.close();
  return { session: metadata.session.name, messages, sizeBytes: Number(position) };
}

function metadataOf(source: Source, run: PlannedRun): RecordingMetadata {
  return {
    vehicle: { id: run.vehicleId, hardwareRevision: run.hardwareRevision },
    software: { name: IMPORT_SOFTWARE, version: run.softwareVersion },
    session: {
      name: run.session ?? source.description.session,
      attributes: { ...source.description.attributes, ...run.attributes },
    },
    // The files carry no statement about their clock.
    clock: { source: 'source-file', uncertaintyNs: '0' },
    gaps: [],
    loss: {},
  };
}
