/** Why: what somebody could send to fill memory, to leave a folder, or to stop whoever reads it, each with the answer that it must get. */
import { zstdCompressSync } from 'node:zlib';
import {
  attachment,
  channel,
  chunk,
  fleetMetadata,
  mcap,
  message,
  messageIndex,
  metadataRecord,
  record,
  statistics,
  text,
  uint16,
  uint32,
  uint64,
} from './mcap-bytes.ts';

const GIB = 1_024 * 1_024 * 1_024;
const JSON_MESSAGE = Buffer.from('{"speed": 1.5}');
/** An answer, or a pattern of one. */
export type Hostile = {
  readonly name: string;
  /** `accepted`, or the code of the refusal. */
  readonly answer:
    | 'accepted'
    | 'INGEST_MCAP_INVALID'
    | 'INGEST_LIMIT'
    | 'INGEST_METADATA_MISSING'
    | 'LEDGER_ENTRY_INVALID';
  /** Of the recording of one vehicle and event. */
  readonly bytes: (vehicle: string, event: string) => Uint8Array;
};

/** A gigabyte of zeros in some 30 kB. */
const BOMB = zstdCompressSync(Buffer.alloc(GIB));
const hostile = (name: string, answer: Hostile['answer'], records: () => readonly Uint8Array[]): Hostile => ({
  name,
  answer,
  bytes: (vehicle, event) =>
    mcap(fleetMetadata(vehicle, event), channel(1, '/a'), message(1, Buffer.from(`"${event}"`)), ...records()),
});
const named = (name: string, topic: string): Hostile =>
  hostile(name, 'accepted', () => [channel(2, topic), message(2, JSON_MESSAGE)]);

/** An lz4 frame whose one block repeats one byte over and over: 255 bytes for each of its own. */
function lz4Bomb(repeats: number): Buffer {
  const block = Buffer.concat([
    Uint8Array.of(0x1f, 0x00, 0x01, 0x00),
    Buffer.alloc(repeats, 0xff),
    Uint8Array.of(0x00),
  ]);
  const header = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73);
  return Buffer.concat([header, uint32(block.length), block, uint32(0)]);
}

export const HOSTILE: readonly Hostile[] = [
  hostile('a zstd chunk of a gigabyte of zeros that says so', 'INGEST_MCAP_INVALID', () => [
    chunk('zstd', BOMB, BigInt(GIB)),
  ]),
  hostile('a zstd chunk of a gigabyte of zeros that claims 60 MB', 'INGEST_MCAP_INVALID', () => [
    chunk('zstd', BOMB, 60_000_000n),
  ]),
  hostile('a zstd chunk of a few bytes that claims 60 MB', 'INGEST_LIMIT', () => [
    chunk('zstd', BOMB.subarray(0, 100), 60_000_000n),
  ]),
  hostile('an lz4 chunk of a gigabyte', 'INGEST_MCAP_INVALID', () => [chunk('lz4', lz4Bomb(GIB / 255), BigInt(GIB))]),
  hostile('an lz4 chunk of more than it claims', 'INGEST_MCAP_INVALID', () => [
    chunk('lz4', lz4Bomb(1_000_000), 1_000n),
  ]),
  hostile('a chunk that claims 2^63 bytes', 'INGEST_MCAP_INVALID', () => [chunk('zstd', JSON_MESSAGE, 2n ** 63n)]),
  hostile('a chunk whose packed size is 2^64 - 1', 'INGEST_MCAP_INVALID', () => [
    chunk('zstd', JSON_MESSAGE, 100n, 2n ** 64n - 1n),
  ]),
  hostile('a chunk by an unknown compression', 'INGEST_MCAP_INVALID', () => [chunk('../zip', JSON_MESSAGE, 100n)]),
  hostile('a record of 2^63 bytes', 'INGEST_MCAP_INVALID', () => [
    Buffer.concat([Uint8Array.of(0x05), uint64(2n ** 63n)]),
  ]),
  hostile('statistics of 2^64 - 1 messages', 'INGEST_MCAP_INVALID', () => [statistics(2n ** 64n - 1n)]),
  hostile('statistics whose counts claim 4 GB', 'INGEST_MCAP_INVALID', () => [statistics(1n, uint32(0xffff_fff0))]),
  hostile('a message index that claims 4 GB', 'INGEST_MCAP_INVALID', () => [messageIndex(1, uint32(0xffff_fff0))]),
  hostile('a message index that points beyond the file', 'INGEST_MCAP_INVALID', () => [
    messageIndex(1, Buffer.concat([uint32(16), uint64(0n), uint64(2n ** 62n)])),
  ]),
  hostile('65,535 channels', 'INGEST_LIMIT', () => Array.from({ length: 65_535 }, (_, id) => channel(id, `/c${id}`))),
  hostile('10,000 metadata records', 'INGEST_LIMIT', () =>
    Array.from({ length: 10_000 }, (_, id) => metadataRecord(`m${id}`, [])),
  ),
  hostile('a schema whose data claims 4 GB', 'INGEST_MCAP_INVALID', () => [
    record(0x03, uint16(9), text('S'), text('json'), uint32(0xffff_fff0)),
  ]),
  hostile('a channel of a schema that is not there', 'INGEST_MCAP_INVALID', () => [
    record(0x04, uint16(7), uint16(77), text('/b'), text('json'), uint32(0)),
  ]),
  hostile('an attachment that claims 2^63 bytes', 'INGEST_MCAP_INVALID', () => [
    attachment('a', JSON_MESSAGE, 2n ** 63n),
  ]),
  hostile('an attachment named as a path', 'accepted', () => [attachment('../../../etc/passwd', JSON_MESSAGE)]),
  hostile('a metadata record named as a path', 'accepted', () => [metadataRecord('../../fleet', [['../x', '\u0000']])]),
  named('a topic that leads out of a folder', '../../../../etc/passwd'),
  named('a topic with a NUL and line breaks', '/a\u0000b\r\nPUB ledger.x 0'),
  named('a topic that is a name of JavaScript', '__proto__'),
  named('a topic that is half a surrogate pair and SQL', `'; DROP TABLE facts; --`),
  named('a topic of 10 kB', `/${'t'.repeat(10_000)}`),
  hostile('60 topics of 10 kB', 'LEDGER_ENTRY_INVALID', () =>
    Array.from({ length: 60 }, (_, id) => [
      channel(id + 2, `/${id}${'t'.repeat(10_000)}`),
      message(id + 2, JSON_MESSAGE),
    ]).flat(),
  ),
  {
    name: 'a recording without any message',
    answer: 'INGEST_MCAP_INVALID',
    bytes: (vehicle, event) => mcap(fleetMetadata(vehicle, event)),
  },
  {
    name: 'a recording that says nothing about itself',
    answer: 'INGEST_METADATA_MISSING',
    bytes: (_, event) => mcap(channel(1, '/a'), message(1, Buffer.from(event))),
  },
  { name: 'nothing but the magic bytes', answer: 'INGEST_MCAP_INVALID', bytes: () => mcap().subarray(0, 8) },
  { name: 'a NaN of a file', answer: 'INGEST_MCAP_INVALID', bytes: () => Buffer.from('NaN') },
];
