/**
 * Why: an auditor takes the ledger away and needs nothing of ours to read it: one text file with the checkpoints, the leaf
 * hashes and the entries, each on a line of its own and byte for byte as it was signed (canonical JSON holds no line break).
 *
 *     {"checkpoints":M,"entries":N,"format":"fleetloop-ledger-export","key":"…","version":1}
 *     M lines   a checkpoint (C2SP signed note) as a JSON string
 *     N lines   the RFC 6962 leaf hash of an entry, 64 hex digits
 *     N lines   an entry
 *     {"end":"fleetloop-ledger-export"}
 */
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';
import { TREE_HASH_BYTES, type TreeHash } from './merkle-tree.ts';

export const EXPORT_FORMAT = 'fleetloop-ledger-export';
export const EXPORT_END = `{"end":"${EXPORT_FORMAT}"}`;
/** Checkpoints of one export: the newest. */
export const EXPORT_CHECKPOINTS_MAX = 10_000;
export const EXPORT_LINE_BREAK = 0x0a;
/** A leaf hash in hex, and its line break. */
export const LEAF_LINE_BYTES = 2 * TREE_HASH_BYTES + 1;
/** Lines are gathered to pieces of about this size. */
const PIECE_BYTES = 256 * 1024;

export const ExportHeader = z.strictObject({
  format: z.literal(EXPORT_FORMAT),
  version: z.literal(1),
  entries: z.int().min(0),
  checkpoints: z.int().min(1).max(EXPORT_CHECKPOINTS_MAX),
  /** The verifier key that was in force; an auditor holds it against the one that they trust. */
  key: z.string().max(256),
});
export type ExportHeader = z.infer<typeof ExportHeader>;

export type ExportSource = {
  readonly key: string;
  /** Oldest first; the last one covers `size` entries. */
  readonly checkpoints: readonly string[];
  readonly size: number;
  readonly leaves: AsyncIterable<TreeHash>;
  readonly entries: AsyncIterable<{ readonly sequence: number; readonly bytes: Uint8Array }>;
};

/**
 * The file in pieces; memory does not grow with the ledger.
 * @throws FleetError LEDGER_TAMPERED when the source has other than `size` leaves or entries, or one that is no line
 */
export async function* writeExport(source: ExportSource): AsyncIterable<Uint8Array> {
  const notes = source.checkpoints.slice(-EXPORT_CHECKPOINTS_MAX);
  const header = {
    checkpoints: notes.length,
    entries: source.size,
    format: EXPORT_FORMAT,
    key: source.key,
    version: 1,
  };
  yield Buffer.from([header, ...notes].map((line) => `${JSON.stringify(line)}\n`).join(''));
  yield* pieces(leafLines(source));
  yield* pieces(entryLines(source));
  yield Buffer.from(`${EXPORT_END}\n`);
}

async function* leafLines({ leaves, size }: ExportSource): AsyncIterable<Uint8Array> {
  let count = 0;
  for await (const leaf of leaves) {
    if (count === size) break;
    yield Buffer.from(`${Buffer.from(leaf).toString('hex')}\n`, 'latin1');
    count += 1;
  }
  if (count < size) throw tampered(`there are ${count} leaf hashes for ${size} entries`);
}

async function* entryLines({ entries, size }: ExportSource): AsyncIterable<Uint8Array> {
  let count = 0;
  for await (const { sequence, bytes } of entries) {
    if (count === size) break;
    if (sequence !== count + 1) throw tampered(`entry ${count + 1} is missing`);
    if (bytes.includes(EXPORT_LINE_BREAK))
      throw tampered(`entry ${sequence} is not canonical JSON: it holds a line break`);
    yield bytes;
    yield Uint8Array.of(EXPORT_LINE_BREAK);
    count += 1;
  }
  if (count < size) throw tampered(`the checkpoint covers ${size} entries, the ledger ends after ${count}`);
}

async function* pieces(lines: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let gathered: Uint8Array[] = [];
  let length = 0;
  for await (const line of lines) {
    gathered.push(line);
    length += line.length;
    if (length < PIECE_BYTES) continue;
    yield Buffer.concat(gathered, length);
    gathered = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(gathered, length);
}

function tampered(message: string): FleetError {
  return new FleetError('LEDGER_TAMPERED', `the ledger cannot be exported: ${message}`);
}
