/** Takes what is left of one chunk after the other: where it really ends, the records that it declares, and what was lost of it. */
import { OPCODE } from './mcap-bytes.ts';
import type { McapChunkIndex, McapMessageIndex } from './mcap-fields.ts';
import type { McapBytes } from './mcap-memory.ts';
import type { McapWalk } from './mcap-walk.ts';
import type { RecordingSummary } from './recording-summary.ts';
import { type ChunkHints, proveChunk, salvageChunk, type SalvagedChunk } from './salvage-chunk.ts';
import { readHead } from './salvage-chunk-head.ts';
import { lossOfChunk } from './salvage-chunk-loss.ts';
import type { Definitions } from './salvage-definitions.ts';
import { type ChunkExtent, isDecodable, isFamiliarRecord, readMessageIndexes } from './salvage-hints.ts';
import type { SalvageTally } from './salvage-tally.ts';

/** A part of the file. */
export type Place = { readonly offset: number; readonly recordBytes: number };
export const endOf = ({ offset, recordBytes }: Place): number => offset + recordBytes;

export type KeptOfChunk = {
  /** Where it really is. */
  readonly found: Place;
  /** Its messages; views of memory that the next chunk takes. */
  readonly contents: readonly Uint8Array[];
  /** Whether a CRC vouches for them. */
  readonly isProven: boolean;
  /** What its message indexes must agree with; undefined for one whose head is lost. */
  readonly head: ChunkExtent | undefined;
};

type Parts = {
  readonly bytes: McapBytes;
  readonly summary: RecordingSummary | undefined;
  readonly definitions: Definitions;
  readonly walk: McapWalk;
  readonly tally: SalvageTally;
  /** Whether a record can be one of the file, by the times of all of it. */
  readonly isFamiliar: (opcode: number, head: Uint8Array) => boolean;
};

export class ChunkSalvage {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** To be asked while the chunk is the last item of the walk. `isEndFound` for one that is known to end there, whatever it claims. */
  async take(place: Place, index: McapChunkIndex | undefined, isEndFound: boolean): Promise<KeptOfChunk> {
    const { walk, definitions, tally } = this.#parts;
    const content = await walk.content(place);
    const proven = proveChunk(content, index);
    // A place that the index vouches for is as long as it says.
    const isLengthSure = proven !== undefined || index !== undefined || isEndFound;
    const isPlainChunk = readHead(content, index).head.compression === '';
    const end = isLengthSure ? endOf(place) : await walk.endOf(place, { isPlainChunk });
    const found = { offset: place.offset, recordBytes: end - place.offset };
    const hints = this.#hintsFor(found, index);
    const chunk = proven ?? (await salvageChunk(await walk.content(found), end < endOf(place), hints));
    // A bit that explains the CRC is found by chance, too, for one damaged chunk in hundreds.
    const isProven = chunk.proof === 'crc';
    const contents = this.#declare(chunk, isProven);
    if (chunk.repaired !== undefined) tally.repaired(found.offset, chunk.repaired);
    else if (chunk.damage !== undefined)
      tally.loss(lossOfChunk(found, { chunk, contents, messages: await hints.messages(), index, definitions }));
    return { found, contents, isProven, head: index ?? chunk.head };
  }

  #hintsFor(place: Place, index: McapChunkIndex | undefined): ChunkHints {
    const { bytes, summary, definitions, isFamiliar } = this.#parts;
    let messages: readonly McapMessageIndex[] | undefined;
    return {
      index,
      messages: async () => (messages ??= await readMessageIndexes(bytes, endOf(place), summary?.footerByte)),
      isFamiliar: (opcode, head, times) =>
        isFamiliarRecord(definitions, opcode, head, times) || isFamiliar(opcode, head),
      isContradicted: (opcode, content) => definitions.isContradicted(opcode, content),
      isDecodable: (id, data) => isDecodable(definitions, id, data),
    };
  }

  /** Keeps the schemas and channels of a chunk and gives its messages. */
  #declare({ records, spans }: SalvagedChunk, isProven: boolean): Uint8Array[] {
    const contents: Uint8Array[] = [];
    for (const { opcode, start, end } of spans) {
      const content = records.subarray(start, end);
      if (opcode === OPCODE.message) contents.push(content);
      else this.#parts.definitions.add(opcode, content, isProven);
    }
    return contents;
  }
}
