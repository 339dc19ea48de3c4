/**
 * A piece of the ring: whole records one behind the other. It begins in memory, is sealed when it is full or old, may then be packed,
 * and may live in memory, on disk, or in both.
 */
import type { SourceMessage } from '@fleetloop/schemas';
import {
  type NumberedMessage,
  recordBytesMax,
  recordChannelId,
  recordEnd,
  recordOffset,
  recordSequence,
  type TimeBase,
  writeRecord,
} from './message-record.ts';
import { type BlockPacker, type PackedBlock, unpackRecords } from './packed-block.ts';
import { RecordColumns } from './record-columns.ts';

/** Where a block lies on disk. */
export type BlockPlace = {
  /** Reads the records back. @throws FleetError SPOOL_CORRUPT when they are not what was written */
  readonly read: () => Promise<Uint8Array>;
  /** Reads the block as it lies there. @throws FleetError SPOOL_CORRUPT when it is not what was written */
  readonly readPacked: () => Promise<PackedBlock>;
};

/** Memory of sealed blocks; each block that counts here adds its own changes. */
export type MemoryGauge = { bytes: number };

/** What a new block is made of. */
export type BlockMaterial = {
  readonly packer: BlockPacker;
  /** Memory for the records; nobody else uses it. */
  readonly bytes: Uint8Array;
  /** Messages that are expected in it. */
  readonly rows?: number;
};

/** Messages are only ever added at the end, so that whoever remembers an offset can read it for as long as it holds the block. */
export class RecordBlock {
  readonly base: TimeBase;
  #bytes: Uint8Array | undefined;
  #view: DataView | undefined;
  #columns: RecordColumns | undefined;
  readonly #packer: BlockPacker | undefined;
  readonly #numbered: NumberedMessage = { channelId: 0, message: undefined as unknown as SourceMessage };
  #end = 0;
  #count = 0;
  #earliest = Number.POSITIVE_INFINITY;
  #latest = Number.NEGATIVE_INFINITY;
  #isSealed = false;
  #place: BlockPlace | undefined;
  #packed: PackedBlock | undefined;
  #packing: Promise<PackedBlock> | undefined;
  #gauge: MemoryGauge | undefined;
  #gaugedBytes = 0;
  /** Somebody reads the records where they are. */
  #isLent = false;
  #spare: Uint8Array | undefined;
  /** Recordings that have yet to be written and need this block. */
  holders = 0;
  /** No longer part of the ring: it need not be stored any more. */
  isDropped = false;

  constructor(base: TimeBase, material?: BlockMaterial) {
    this.base = base;
    this.#packer = material?.packer;
    if (material === undefined) return;
    this.#columns = new RecordColumns(material.rows);
    this.#bytes = material.bytes;
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
  }

  /** A block that was found on disk, or that another boot wrote. */
  static stored(base: TimeBase, place: BlockPlace, summary: BlockSummary): RecordBlock {
    const block = new RecordBlock(base);
    block.#end = summary.endBytes;
    block.#count = summary.messages;
    block.#earliest = summary.earliest;
    block.#latest = summary.latest;
    block.#isSealed = true;
    block.#place = place;
    return block;
  }

  get memoryBytes(): number {
    const recordBytes = this.#bytes?.length ?? this.#packed?.bytes.length ?? 0;
    return recordBytes + (this.#columns?.sizeBytes ?? 0);
  }
  /** Bytes of records. */
  get endBytes(): number {
    return this.#end;
  }
  get messages(): number {
    return this.#count;
  }
  /** Least and greatest logTime, as distances from the base; infinities while it is empty. */
  get earliest(): number {
    return this.#earliest;
  }
  get latest(): number {
    return this.#latest;
  }
  get isSealed(): boolean {
    return this.#isSealed;
  }
  get isStored(): boolean {
    return this.#place !== undefined;
  }
  get isInMemory(): boolean {
    return this.#bytes !== undefined || this.#packed !== undefined;
  }
  get columns(): RecordColumns | undefined {
    return this.#columns;
  }

  /** Counts its memory there from now on, and nowhere without one. */
  countIn(gauge: MemoryGauge | undefined): void {
    if (this.#gauge !== undefined) this.#gauge.bytes -= this.#gaugedBytes;
    this.#gauge = gauge;
    this.#gaugedBytes = 0;
    this.#gaugeMemory();
  }

  hasRoomFor(message: SourceMessage): boolean {
    return !this.#isSealed && this.#end + recordBytesMax(message) <= (this.#bytes?.length ?? 0);
  }

  /** Adds a message; returns its time as a distance from the base. */
  add(message: SourceMessage, channelId: number): number {
    const [bytes, view, columns] = [this.#bytes, this.#view, this.#columns];
    if (bytes === undefined || view === undefined || columns === undefined || this.#isSealed)
      throw new Error('a sealed block takes no message');
    const at = this.#end;
    this.#numbered.channelId = channelId;
    this.#numbered.message = message;
    this.#end = writeRecord(bytes, view, at, this.#numbered);
    const time = recordOffset(view, at, this.base);
    columns.add(channelId, time, message.sequence >>> 0, at);
    this.#count += 1;
    if (time < this.#earliest) this.#earliest = time;
    if (time > this.#latest) this.#latest = time;
    return time;
  }

  /** Takes no more messages from now on, and gives back memory that it does not need. */
  seal(): void {
    if (this.#isSealed) return;
    this.#isSealed = true;
    this.#columns?.seal();
    const bytes = this.#bytes;
    if (bytes === undefined || this.#end > bytes.length / 2) return;
    this.#bytes = bytes.slice(0, this.#end);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Packs a sealed block and keeps it so: from then on every event that needs all of it takes the same bytes. */
  async pack(): Promise<PackedBlock> {
    if (!this.#isSealed) throw new Error('a block that still takes messages cannot be packed');
    if (this.#packed !== undefined || this.#bytes === undefined || this.#packer === undefined) return this.packed();
    this.#packing ??= this.#packer.pack(this.#bytes.subarray(0, this.#end)).then(
      (packed) => this.#keep(packed),
      (error: unknown) => {
        // Whoever asks next tries again.
        this.#packing = undefined;
        throw error;
      },
    );
    return this.#packing;
  }

  /** The block as a chunk, from memory or disk, or packed for this call alone. @throws FleetError SPOOL_CORRUPT */
  async packed(): Promise<PackedBlock> {
    if (this.#packed !== undefined) return this.#packed;
    if (this.#packing !== undefined && this.#bytes !== undefined) return this.#packing;
    if (this.#bytes !== undefined && this.#packer !== undefined) return this.#packer.pack(this.#lend(this.#bytes));
    return this.#placed().readPacked();
  }

  /** Memory that packing has freed and that nobody reads, for another block. */
  takeSpare(): Uint8Array | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare;
  }

  stored(place: BlockPlace): void {
    this.#place = place;
  }

  /** Leaves the records to the disk; what is chosen among them can still be read. */
  evict(): void {
    if (this.#place === undefined) throw new Error('a block that is on no disk cannot leave memory');
    this.#bytes = undefined;
    this.#view = undefined;
    this.#packed = undefined;
    this.#packing = undefined;
    this.#gaugeMemory();
  }

  /** Forgets what is in the block; its records can be read but not chosen until `index`. */
  dropColumns(): void {
    this.#columns = undefined;
    this.#gaugeMemory();
  }

  /** The records, from memory or disk. @throws FleetError SPOOL_CORRUPT */
  async load(): Promise<Uint8Array> {
    if (this.#bytes !== undefined) return this.#lend(this.#bytes);
    if (this.#packed !== undefined) return unpackRecords(this.#packed);
    return this.#placed().read();
  }

  /** Columns of a block, read from its records when they are not in memory. @throws FleetError SPOOL_CORRUPT */
  async index(): Promise<RecordColumns> {
    return this.#columns ?? columnsOf(await this.load(), this.base);
  }

  #keep(packed: PackedBlock): PackedBlock {
    this.#packing = undefined;
    // It may have left memory meanwhile.
    if (this.#bytes === undefined) return packed;
    this.#packed = packed;
    if (!this.#isLent && packed.bytes.buffer !== this.#bytes.buffer) this.#spare = this.#bytes;
    this.#bytes = undefined;
    this.#view = undefined;
    this.#gaugeMemory();
    return packed;
  }

  /** Whoever reads the records may do so for as long as it likes. */
  #lend(bytes: Uint8Array): Uint8Array {
    this.#isLent = true;
    return bytes.subarray(0, this.#end);
  }

  #placed(): BlockPlace {
    if (this.#place === undefined) throw new Error('a block is neither in memory nor on disk');
    return this.#place;
  }

  #gaugeMemory(): void {
    if (this.#gauge === undefined) return;
    const bytes = this.memoryBytes;
    this.#gauge.bytes += bytes - this.#gaugedBytes;
    this.#gaugedBytes = bytes;
  }
}

/** What is known of a block without its records. */
export type BlockSummary = {
  readonly endBytes: number;
  readonly messages: number;
  readonly earliest: number;
  readonly latest: number;
};

function columnsOf(bytes: Uint8Array, base: TimeBase): RecordColumns {
  const columns = new RecordColumns();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at = recordEnd(view, at))
    columns.add(recordChannelId(view, at), recordOffset(view, at, base), recordSequence(view, at), at);
  return columns;
}
