/** Takes in a recording that the index does not know: what it must say of itself is inside. */
import { FleetError, type Priority } from '@fleetloop/schemas';
import { fromMetadataRecords, scanRecording } from '@fleetloop/schemas/recording';
import type { DurableFiles, ListedFile } from './durable-files.ts';
import { RecordingDigester, type RecordingDigests } from './recording-digests.ts';

/** Bytes read at a time. */
const READ_BYTES = 256 * 1024;

export type AdoptedRecording = RecordingDigests & {
  readonly eventId: string;
  /** Undefined when the recording does not say. */
  readonly priority: Priority | undefined;
  readonly session: string;
  readonly campaignIds: readonly string[];
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly messages: number;
};

/**
 * Reads a whole recording, checks it and digests it.
 * @throws FleetError SPOOL_CORRUPT, INGEST_MCAP_INVALID, INGEST_METADATA_MISSING, INGEST_LIMIT
 */
export async function readForAdoption(
  files: DurableFiles,
  file: ListedFile,
  signal: AbortSignal,
): Promise<AdoptedRecording> {
  const digester = new RecordingDigester();
  const { metadata, messages } = await scanRecording(readPieces(files, file, { digester, signal }));
  const { event, session } = fromMetadataRecords(metadata);
  if (event === undefined)
    throw new FleetError('SPOOL_CORRUPT', `${file.name} holds no event: it is not of this spool`);
  return {
    ...digester.finish(),
    eventId: event.id,
    priority: event.priority,
    session: session.name,
    campaignIds: event.campaigns,
    startNs: BigInt(event.startNs),
    endNs: BigInt(event.endNs),
    messages,
  };
}

async function* readPieces(
  files: DurableFiles,
  file: ListedFile,
  { digester, signal }: { readonly digester: RecordingDigester; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < file.sizeBytes; offset += READ_BYTES) {
    signal.throwIfAborted();
    const piece = await files.readBytes(file.name, offset, Math.min(READ_BYTES, file.sizeBytes - offset));
    digester.update(piece);
    yield piece;
  }
}
