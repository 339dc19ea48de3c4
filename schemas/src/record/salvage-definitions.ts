/** The schemas and channels of a damaged file, from wherever they still stand: a chunk may have lost those that its messages need. */
import { isDeepStrictEqual } from 'node:util';
import { FieldReader, OPCODE } from './mcap-bytes.ts';
import { type McapChannelRecord, type McapSchemaRecord, readChannel, readSchema } from './mcap-fields.ts';
import { MCAP_RECORD_HELD_BYTES_MAX } from './mcap-frames.ts';
import type { McapBytes } from './mcap-memory.ts';
import { McapWalk } from './mcap-walk.ts';
import type { RecordingSummary } from './recording-summary.ts';
import { type ChunkHints, proveChunk, salvageChunk, type SalvagedChunk } from './salvage-chunk.ts';

/** Most schemas and channels; the ids of the format are no more. */
const DEFINITIONS_MAX = 65_536;

/** What the records of a file declare; where two differ, the one that a CRC vouches for counts, and then the first. */
export class Definitions {
  readonly #schemas = new Map<number, McapSchemaRecord & { readonly isProven: boolean }>();
  readonly #channels = new Map<number, McapChannelRecord & { readonly isProven: boolean }>();

  schema(id: number): McapSchemaRecord | undefined {
    return this.#schemas.get(id);
  }

  channel(id: number): McapChannelRecord | undefined {
    return this.#channels.get(id);
  }

  /** Takes a record; one that does not parse is passed over. */
  add(opcode: number, content: Uint8Array, isProven: boolean): void {
    try {
      // Copied: the content is a view of bytes that are read on.
      if (opcode === OPCODE.schema) this.addSchema(readSchema(new FieldReader(Uint8Array.from(content))), isProven);
      if (opcode === OPCODE.channel) this.addChannel(readChannel(new FieldReader(content)), isProven);
    } catch {
      // Whoever needs it will miss it and say so.
    }
  }

  addSchema(schema: McapSchemaRecord, isProven: boolean): void {
    if (isWanted(this.#schemas.get(schema.id), isProven) && this.#schemas.size < DEFINITIONS_MAX)
      this.#schemas.set(schema.id, { ...schema, isProven });
  }

  addChannel(channel: McapChannelRecord, isProven: boolean): void {
    if (isWanted(this.#channels.get(channel.id), isProven) && this.#channels.size < DEFINITIONS_MAX)
      this.#channels.set(channel.id, { ...channel, isProven });
  }

  /** Whether a record is not the one of its id that a CRC vouches for. */
  isContradicted(opcode: number, content: Uint8Array): boolean {
    const known = opcode === OPCODE.schema ? this.#schemas : opcode === OPCODE.channel ? this.#channels : undefined;
    if (known === undefined) return false;
    try {
      const fields = new FieldReader(content);
      const { id, ...told } = opcode === OPCODE.schema ? readSchema(fields) : readChannel(fields);
      const { isProven, ...truth } = known.get(id) ?? { isProven: false };
      return isProven && !isDeepStrictEqual({ id, ...told }, truth);
    } catch {
      return false;
    }
  }

  /** Whether every channel that the summary counts is known with its schema. */
  isCompleteFor(summary: RecordingSummary): boolean {
    const { statistics } = summary;
    if (statistics === undefined || this.#channels.size < statistics.channels) return false;
    return [...this.#channels.values()].every(({ schemaId }) => schemaId === 0 || this.#schemas.has(schemaId));
  }
}

function isWanted(known: { readonly isProven: boolean } | undefined, isProven: boolean): boolean {
  return known === undefined || (isProven && !known.isProven);
}

/** From a summary that a CRC vouches for, if it has all, or else by one pass over the file. */
export async function collectDefinitions(
  bytes: McapBytes,
  summary: RecordingSummary | undefined,
  signal: AbortSignal | undefined,
): Promise<Definitions> {
  const definitions = new Definitions();
  for (const schema of summary?.schemas.values() ?? []) definitions.addSchema(schema, true);
  for (const channel of summary?.channels.values() ?? []) definitions.addChannel(channel, true);
  if (summary !== undefined && definitions.isCompleteFor(summary)) return definitions;
  const walk = new McapWalk(bytes, { signal });
  for await (const item of walk.items()) {
    if (item.kind === 'damage' && item.isChunk) {
      const place = { offset: item.fromByte, recordBytes: item.toByte - item.fromByte };
      if (place.recordBytes <= MCAP_RECORD_HELD_BYTES_MAX) addAll(definitions, await restOf(walk, place));
    }
    if (item.kind !== 'record') continue;
    if (item.opcode === OPCODE.schema || item.opcode === OPCODE.channel)
      definitions.add(item.opcode, await walk.content(item), false);
    if (item.opcode === OPCODE.chunk) addAll(definitions, await chunkOf(walk, item));
  }
  return definitions;
}

function addAll(definitions: Definitions, { records, spans, proof }: SalvagedChunk): void {
  for (const { opcode, start, end } of spans)
    if (opcode !== OPCODE.message) definitions.add(opcode, records.subarray(start, end), proof === 'crc');
}

type Place = { readonly offset: number; readonly recordBytes: number };

async function chunkOf(walk: McapWalk, frame: Place): Promise<SalvagedChunk> {
  const proven = proveChunk(await walk.content(frame), undefined);
  if (proven !== undefined) return proven;
  const end = await walk.endOf(frame, { isPlainChunk: false });
  return restOf(walk, { offset: frame.offset, recordBytes: end - frame.offset });
}

async function restOf(walk: McapWalk, place: Place): Promise<SalvagedChunk> {
  return salvageChunk(await walk.content(place), false, NO_HINTS);
}

const NO_HINTS: ChunkHints = {
  index: undefined,
  messages: async () => [],
  isFamiliar: () => false,
  isContradicted: () => false,
  isDecodable: () => true,
};
