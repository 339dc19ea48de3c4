/** Why: recordings that no writer would make, each record written by hand, so that a lie can stand in any field. */
import { crc32 } from 'node:zlib';
import type { RecordingMetadata } from '@fleetloop/schemas';
import { toMetadataRecords } from '@fleetloop/schemas/recording';

const MAGIC = Buffer.from([0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a]);
export const START_NS = 1_700_000_000_000_000_000n;

export const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([uint32(bytes.length), bytes]);
};
export const uint16 = (value: number): Buffer => Buffer.from(Uint16Array.of(value).buffer);
export const uint32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
export const uint64 = (value: bigint): Buffer => Buffer.from(BigUint64Array.of(value).buffer);

const textMap = (entries: Iterable<readonly [string, string]>): Buffer => {
  const bytes = Buffer.concat(Array.from(entries, ([key, value]) => Buffer.concat([text(key), text(value)])));
  return Buffer.concat([uint32(bytes.length), bytes]);
};

export function record(opcode: number, ...fields: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(fields);
  return Buffer.concat([Uint8Array.of(opcode), uint64(BigInt(content.length)), content]);
}

export const channel = (id: number, topic: string): Buffer =>
  record(0x04, uint16(id), uint16(0), text(topic), text('json'), textMap([]));

export const message = (id: number, data: Uint8Array, logTimeNs = START_NS, publishTimeNs = logTimeNs): Buffer =>
  record(0x05, uint16(id), uint32(0), uint64(logTimeNs), uint64(publishTimeNs), data);

export const metadataRecord = (name: string, entries: Iterable<readonly [string, string]>): Buffer =>
  record(0x0c, text(name), textMap(entries));

export const attachment = (name: string, data: Uint8Array, sizeBytes = BigInt(data.length)): Buffer => {
  const content = Buffer.concat([
    uint64(START_NS),
    uint64(START_NS),
    text(name),
    text('text/plain'),
    uint64(sizeBytes),
    data,
  ]);
  return record(0x09, content, uint32(crc32(content)));
};

/** `claimed` bytes that it says it unpacks to. */
export const chunk = (
  compression: string,
  packed: Uint8Array,
  claimed: bigint,
  packedBytes = BigInt(packed.length),
): Buffer =>
  record(
    0x06,
    uint64(START_NS),
    uint64(START_NS),
    uint64(claimed),
    uint32(0),
    text(compression),
    uint64(packedBytes),
    packed,
  );

export const statistics = (messages: bigint, channelCounts: Uint8Array = uint32(0)): Buffer =>
  record(
    0x0b,
    uint64(messages),
    uint16(0),
    uint32(1),
    uint32(0),
    uint32(0),
    uint32(0),
    uint64(START_NS),
    uint64(START_NS),
    channelCounts,
  );

export const messageIndex = (id: number, entries: Uint8Array): Buffer => record(0x07, uint16(id), entries);

/** The vehicle's own records, without which no recording is taken. */
export function fleetMetadata(vehicle: string, eventId?: string): Buffer {
  const metadata: RecordingMetadata = {
    vehicle: { id: vehicle, hardwareRevision: 'A' },
    software: { name: 'hostile', version: '1.0.0' },
    session: { name: 'hostile/drive', attributes: {} },
    clock: { source: 'test', uncertaintyNs: '1000' },
    ...(eventId === undefined
      ? {}
      : { event: { id: eventId, startNs: '0', endNs: '1', triggers: [], campaigns: ['hostile'] } }),
    gaps: [],
    loss: {},
  };
  return Buffer.concat(toMetadataRecords(metadata).map((each) => metadataRecord(each.name, each.metadata)));
}

/** A whole file around these records. */
export function mcap(...records: readonly Uint8Array[]): Buffer {
  const header = record(0x01, text(''), text('by hand'));
  const footer = record(0x02, uint64(0n), uint64(0n), uint32(0));
  return Buffer.concat([MAGIC, header, ...records, record(0x0f, uint32(0)), footer, MAGIC]);
}
