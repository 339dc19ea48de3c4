/** Reads recordings from a stream of bytes with bounded memory, checking structure and chunk CRCs on the way. */
import type { McapTypes } from '@mcap/core';
import { z } from 'zod';
import type { Channel, SignalChannel } from '../capture/channel.ts';
import type { SourceMessage } from '../capture/source-message.ts';
import { FleetError } from '../errors/fleet-error.ts';
import type { McapMetadataRecord } from './recording-metadata.ts';
import { decompressZstd } from './mcap-unpack.ts';
import { isOpaqueSchema } from './opaque-schemas.ts';
import { decodeSignalValues, SIGNAL_SCHEMA_PREFIX, SIGNALS_PER_CHANNEL_MAX } from './signal-codec.ts';

export type RecordingItem =
  | { readonly kind: 'metadata'; readonly record: McapMetadataRecord }
  | { readonly kind: 'message'; readonly message: SourceMessage };

const SignalList = z
  .array(z.strictObject({ path: z.string(), field: z.string(), unit: z.string() }))
  .min(1)
  .max(SIGNALS_PER_CHANNEL_MAX);

/**
 * Yields metadata and messages in file order. Metadata may come before, between or after the messages.
 * @throws FleetError INGEST_MCAP_INVALID for bytes that are no MCAP, a truncated file, a CRC that differs, a message that
 * does not decode, or a limit that is broken
 */
export async function* readRecording(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<RecordingItem> {
  // Loaded by whoever reads: a vehicle only writes.
  const { McapStreamReader } = await import('@mcap/core');
  const reader = new McapStreamReader({ validateCrcs: true, decompressHandlers: { zstd: decompressZstd } });
  const channels = new Map<number, Channel>();
  const schemas = new Map<number, McapSchema>();
  let messages = 0n;
  let statistics: bigint | undefined;
  try {
    for await (const part of bytes) {
      reader.append(part);
      for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) {
        if (record.type === 'Schema') schemas.set(record.id, record);
        if (record.type === 'Channel' && !channels.has(record.id))
          channels.set(record.id, parseChannelRecord(record, schemas));
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

/** What a schema record says. */
export type McapSchema = { readonly name: string; readonly encoding: string; readonly data: Uint8Array };

/**
 * The channel that an MCAP record declares: of our own kinds, or opaque with whatever encoding the file names.
 * @throws FleetError INGEST_MCAP_INVALID
 */
export function parseChannelRecord(record: McapTypes.Channel, schemas: ReadonlyMap<number, McapSchema>): Channel {
  const schema = schemas.get(record.schemaId);
  const { signals: signalsText, rateHz: rateText, latched, ...metadata } = Object.fromEntries(record.metadata);
  const rateHz = Number(rateText);
  const common = {
    topic: record.topic,
    ...(rateHz > 0 && Number.isFinite(rateHz) ? { rateHz } : {}),
    ...(latched === 'true' ? { isLatched: true } : {}),
  };
  const isOurs = schema?.name.startsWith(SIGNAL_SCHEMA_PREFIX) === true && record.messageEncoding === 'protobuf';
  if (isOurs && signalsText !== undefined) {
    const signals = SignalList.safeParse(parseJson(signalsText));
    if (!signals.success)
      throw new FleetError('INGEST_MCAP_INVALID', `channel ${record.topic} has malformed signal metadata`);
    return { kind: 'signal', ...common, signals: signals.data } satisfies SignalChannel;
  }
  const opaque = { kind: 'opaque', ...common, schemaName: schema?.name ?? '' } as const;
  if (record.messageEncoding === 'protobuf' && isOpaqueSchema(opaque.schemaName)) return opaque;
  const rest = signalsText === undefined ? metadata : { ...metadata, signals: signalsText };
  return {
    ...opaque,
    encoding: {
      messageEncoding: record.messageEncoding,
      schemaEncoding: schema?.encoding ?? '',
      schemaData: schema?.data ?? new Uint8Array(0),
      ...(Object.keys(rest).length === 0 ? {} : { metadata: rest }),
    },
  };
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
