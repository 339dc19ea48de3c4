/** What a file really holds, gathered while it is read, to be compared with what its indexes and statistics claim. */
import { crc32 } from 'node:zlib';
import { FleetError } from '../errors/fleet-error.ts';
import type { McapAttachmentHead, McapChannelRecord, McapSchemaRecord } from './mcap-fields.ts';

/** Chunks of one file that a verification compares, about 200 bytes of memory each; a million of 1 MiB are 1 TiB. */
const CHUNKS_MAX = 1_000_000;

export type ChunkTruth = {
  readonly recordBytes: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly compression: string;
  readonly packedBytes: bigint;
  readonly uncompressedBytes: bigint;
  /** Where the message index of each channel begins. */
  readonly indexes: Map<number, number>;
  indexBytes: number;
};

export class RecordingTruth {
  /** By the byte at which they begin. */
  readonly chunks = new Map<number, ChunkTruth>();
  readonly attachments = new Map<number, McapAttachmentHead & { readonly recordBytes: number }>();
  readonly metadata = new Map<number, { readonly name: string; readonly recordBytes: number }>();
  /** The forms of what was declared. */
  readonly schemas = new Map<number, string>();
  readonly channels = new Map<number, string>();
  readonly channelMessages = new Map<number, number>();
  messages = 0;
  unordered = 0;
  checksums = 0;
  /** Messages for whose bytes no checksum is there that could tell. */
  unproven = 0;
  startNs: bigint | undefined;
  endNs = 0n;
  #lastNs = 0n;

  /** @throws FleetError INGEST_LIMIT */
  addChunk(offset: number, chunk: ChunkTruth): void {
    if (this.chunks.size >= CHUNKS_MAX)
      throw new FleetError('INGEST_LIMIT', `the recording holds more than ${CHUNKS_MAX} chunks: cut it into pieces`);
    this.chunks.set(offset, chunk);
  }

  message(channelId: number, logTimeNs: bigint, isProven: boolean): void {
    this.messages += 1;
    if (!isProven) this.unproven += 1;
    this.channelMessages.set(channelId, (this.channelMessages.get(channelId) ?? 0) + 1);
    if (logTimeNs < this.#lastNs) this.unordered += 1;
    this.#lastNs = logTimeNs;
    if (this.startNs === undefined || logTimeNs < this.startNs) this.startNs = logTimeNs;
    if (logTimeNs > this.endNs) this.endNs = logTimeNs;
  }
}

/** Equal for schemas that are declared alike; short, whatever their text. */
export function formOfSchema({ name, encoding, data }: McapSchemaRecord): string {
  return JSON.stringify([name, encoding, data.length, crc32(data)]);
}

export function formOfChannel({ schemaId, topic, messageEncoding, metadata }: McapChannelRecord): string {
  return JSON.stringify([schemaId, topic, messageEncoding, [...metadata].toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}
