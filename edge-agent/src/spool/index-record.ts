/** The lines of the spool's index: a CRC in hexadecimal, a space, a record as JSON. A line that was not written whole is told by its CRC. */
import { crc32 } from 'node:zlib';
import { FleetError } from '@fleetloop/schemas';
import type { Outcome, SpoolEntry, TombstoneEntry } from './spool-entry.ts';

/** Longest line; an entry of the most chunks is the longest record. */
const LINE_BYTES_MAX = 1024 * 1024;
/** Events that one counting tombstone takes at a time. */
export const MERGED_MAX = 1_000;
export const INDEX_VERSION = 1;
const CRC_DIGITS = 8;
const NEWLINE = 0x0a;

export type IndexRecord =
  /** First line: the version, and what was counted of outcomes that are forgotten. */
  | {
      readonly kind: 'spool';
      readonly version: number;
      readonly nextOrder: number;
      readonly forgotten: { readonly verified: number; readonly refused: number; readonly evicted: number };
    }
  | ({ readonly kind: 'entry' } & Omit<SpoolEntry, 'isResumed'>)
  | { readonly kind: 'settled'; readonly ids: readonly string[] }
  | { readonly kind: 'stored'; readonly id: string; readonly relay: string }
  /** `isTold`: the cloud knows of the loss. */
  | ({ readonly kind: 'outcome'; readonly isTold?: boolean } & Outcome)
  | { readonly kind: 'told'; readonly id: string }
  /** Many tombstones that waited became one that counts them. */
  | { readonly kind: 'merged'; readonly ids: readonly string[]; readonly into: TombstoneEntry };

/** A record, or undefined for a line that is not whole. */
export type DecodedLine = IndexRecord | undefined;

/** The text of a record's line, without its end. */
export function encodeRecord(record: IndexRecord): string {
  const json = JSON.stringify(record, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  return `${crcText(Buffer.from(json))} ${json}`;
}

/**
 * Line by line: what a power cut or a failing disk left of one is undefined, never guessed at. Whoever passes the CRC was written
 * by this file, so nothing else is checked: a full spool must be read within a second.
 * @throws FleetError SPOOL_CORRUPT for an index of another version
 */
export function* decodeIndex(bytes: Uint8Array): Generator<DecodedLine> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 0; start < buffer.length; ) {
    const newline = buffer.indexOf(NEWLINE, start);
    const end = newline === -1 ? buffer.length : newline;
    if (newline === -1) yield undefined;
    else if (end > start) yield decodeLine(buffer.subarray(start, end));
    start = end + 1;
  }
}

function decodeLine(line: Buffer): DecodedLine {
  if (line.length <= CRC_DIGITS || line.length > LINE_BYTES_MAX) return undefined;
  const json = line.subarray(CRC_DIGITS + 1);
  if (line.toString('latin1', 0, CRC_DIGITS + 1) !== `${crcText(json)} `) return undefined;
  return revived(JSON.parse(json.toString()) as IndexRecord);
}

/** JSON has no bigint: the two times of a recording are text in it. */
function revived(record: IndexRecord): IndexRecord {
  switch (record.kind) {
    case 'entry':
    case 'outcome':
      return { ...record, startNs: BigInt(record.startNs), endNs: BigInt(record.endNs) };
    case 'merged': {
      const { into } = record;
      return { ...record, into: { ...into, startNs: BigInt(into.startNs), endNs: BigInt(into.endNs) } };
    }
    case 'spool':
      if (record.version === INDEX_VERSION) return record;
      throw new FleetError(
        'SPOOL_CORRUPT',
        `the index of the spool has version ${record.version} and this agent reads ${INDEX_VERSION}: remove it to rebuild it from the recordings`,
      );
    default:
      return record;
  }
}

function crcText(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(CRC_DIGITS, '0');
}
