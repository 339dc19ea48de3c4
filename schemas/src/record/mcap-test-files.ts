/** Files that tests of the MCAP writer make and read back with somebody else's reader. */
import { McapStreamReader, type McapTypes } from '@mcap/core';
import type { McapSink } from './mcap-output.ts';
import { McapWriter, type McapWriterOptions, type WrittenMcap } from './mcap-writer.ts';
import { decompressZstd } from './mcap-unpack.ts';

export type DrawnMessage = {
  readonly channel: number;
  readonly logTimeNs: bigint;
  readonly publishTimeNs: bigint;
  readonly data: Uint8Array;
};
export type Drawn = { readonly channels: number; readonly schemas: number; readonly messages: readonly DrawnMessage[] };

export const decompressHandlers = { zstd: decompressZstd };
export const ONE: Drawn = { channels: 1, schemas: 1, messages: [] };

/** Registers what was drawn and returns the channel ids. */
export function register(writer: McapWriter, { channels, schemas }: Drawn): number[] {
  const schemaIds = Array.from({ length: schemas }, (_, index) =>
    writer.registerSchema({
      name: `Schema${index}`,
      encoding: 'protobuf',
      data: new Uint8Array(index * 40).fill(index),
    }),
  );
  return Array.from({ length: channels }, (_, index) =>
    writer.registerChannel({
      schemaId: schemas === 0 ? 0 : (schemaIds[index % schemas] ?? 0),
      topic: `/topic/${index}`,
      messageEncoding: 'protobuf',
      metadata: new Map([['index', String(index)]]),
    }),
  );
}

export async function write(sink: McapSink, input: Drawn, chosen: McapWriterOptions): Promise<WrittenMcap> {
  const writer = new McapWriter(sink, chosen);
  const ids = register(writer, input);
  for (const [sequence, { channel, logTimeNs, publishTimeNs, data }] of input.messages.entries()) {
    // One buffer for all messages, as a source would do it.
    const scratch = Uint8Array.from(data);
    const hasRoom = writer.addMessage(ids[channel] ?? -1, sequence, logTimeNs, publishTimeNs, scratch);
    scratch.fill(0xee);
    if (!hasRoom) await writer.drain();
  }
  return writer.close();
}

export function readAll(bytes: Uint8Array): McapTypes.TypedMcapRecord[] {
  const reader = new McapStreamReader({ validateCrcs: true, includeChunks: true, decompressHandlers });
  reader.append(bytes);
  const records: McapTypes.TypedMcapRecord[] = [];
  for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) {
    // The reader hands out views of its buffer.
    records.push(record.type === 'Message' ? { ...record, data: Uint8Array.from(record.data) } : record);
  }
  if (!reader.done()) throw new Error('the file is truncated');
  return records;
}
