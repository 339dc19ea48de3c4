/** Reads recordings from a stream of bytes with bounded memory, checking structure and chunk CRCs on the way. */
import { zstdDecompressSync } from 'node:zlib';
import { McapStreamReader, type McapTypes } from '@mcap/core';
import { z } from 'zod';
import type { Channel, SignalChannel } from '../capture/channel.ts';
import type { SourceMessage } from '../capture/source-message.ts';
import { FleetError } from '../errors/fleet-error.ts';
import type { McapMetadataRecord } from './recording-metadata.ts';
import { decodeSignalValues, SIGNALS_PER_CHANNEL_MAX } from './signal-codec.ts';

/** Largest chunk accepted after decompression, bytes. */
export const MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX = 64 * 1024 * 1024;

export type RecordingItem =
  | { readonly kind: 'metadata'; readonly record: McapMetadataRecord }
  | { readonly kind: 'message'; readonly message: SourceMessage };

const SignalList = z
  .array(z.strictObject({ path: z.string(), field: z.string(), unit: z.string() }))
  .min(1)
  .max(SIGNALS_PER_CHANNEL_MAX);

/**
 * Yields metadata and messages in file order. Metadata comes before the first message.
 * @throws FleetError INGEST_MCAP_INVALID for bytes that are no MCAP, a truncated file, a CRC that differs, a message that
 * does not decode, or a limit that is broken
 */
export async function* readRecording(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<RecordingItem> {
  const reader = new McapStreamReader({ validateCrcs: true, decompressHandlers: { zstd: decompressZstd } });
  const channels = new Map<number, Channel>();
  const schemaNames = new Map<number, string>();
  let messages = 0n;
  let statistics: bigint | undefined;
  try {
    for await (const part of bytes) {
      reader.append(part);
      for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) {
        if (record.type === 'Schema') schemaNames.set(record.id, record.name);
        if (record.type === 'Channel' && !channels.has(record.id))
          channels.set(record.id, parseChannelRecord(record, schemaNames));
        if (record.type === 'Statistics') statistics = record.messageCount;
        if (record.type === 'Metadata') yield { kind: 'metadata', record };
        if (record.type === 'Message') {
          messages += 1n;
          yield { kind: 'message', message: toMessage(record, channels) };
        }
      }
    }
  } catch (cause) {
    if (cause instanceof FleetError) throw cause;
    throw new FleetError(
      'INGEST_MCAP_INVALID',
      `the recording is not well-formed MCAP: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  if (!reader.done()) throw new FleetError('INGEST_MCAP_INVALID', 'the recording is truncated: it has no footer');
  if (statistics !== undefined && statistics !== messages) {
    throw new FleetError(
      'INGEST_MCAP_INVALID',
      `the recording's statistics name ${statistics} messages but it holds ${messages}`,
    );
  }
}

/** Unpacks a chunk, never to more than the named maximum. */
export function decompressZstd(buffer: Uint8Array, decompressedSize: bigint): Uint8Array {
  if (decompressedSize > BigInt(MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX)) {
    throw new FleetError(
      'INGEST_MCAP_INVALID',
      `a chunk claims ${decompressedSize} bytes, more than ${MCAP_CHUNK_UNCOMPRESSED_BYTES_MAX}`,
    );
  }
  const sizeBytes = Number(decompressedSize);
  // One output buffer of the right size instead of many of 16 KiB that are joined afterwards; zlib wants at least 64 bytes.
  return zstdDecompressSync(buffer, { maxOutputLength: Math.max(1, sizeBytes), chunkSize: Math.max(64, sizeBytes) });
}

/** The channel that an MCAP record declares. @throws FleetError INGEST_MCAP_INVALID */
export function parseChannelRecord(record: McapTypes.Channel, schemaNames: ReadonlyMap<number, string>): Channel {
  const rateText = record.metadata.get('rateHz');
  const rate = rateText === undefined ? {} : { rateHz: Number(rateText) };
  const signalsText = record.metadata.get('signals');
  if (signalsText === undefined)
    return { kind: 'opaque', topic: record.topic, schemaName: schemaNames.get(record.schemaId) ?? '', ...rate };
  const signals = SignalList.safeParse(parseJson(signalsText));
  if (!signals.success)
    throw new FleetError('INGEST_MCAP_INVALID', `channel ${record.topic} has malformed signal metadata`);
  return { kind: 'signal', topic: record.topic, signals: signals.data, ...rate } satisfies SignalChannel;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toMessage(record: McapTypes.Message, channels: ReadonlyMap<number, Channel>): SourceMessage {
  const channel = channels.get(record.channelId);
  if (channel === undefined)
    throw new FleetError(
      'INGEST_MCAP_INVALID',
      `a message names channel ${record.channelId}, which the recording does not declare`,
    );
  const header = { sequence: record.sequence, logTimeNs: record.logTime, publishTimeNs: record.publishTime };
  if (channel.kind === 'opaque') return { ...header, kind: 'opaque', channel, data: record.data };
  return { ...header, kind: 'signal', channel, values: decodeSignalValues(record.data, channel.signals.length) };
}
