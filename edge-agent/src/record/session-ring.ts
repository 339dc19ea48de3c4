/** The messages of one session in the order of arrival, in memory and on disk, for pre-windows, open events and late questions. */
import type { SourceMessage } from '@fleetloop/schemas';
import { ChannelTable } from './channel-table.ts';
import type { Span } from './gaps.ts';
import { isLatched, LatchedContext } from './latched-context.ts';
import { offsetOf, recordBytesMax, type TimeBase, timeBaseOf } from './message-record.ts';
import { BlockPacker } from './packed-block.ts';
import { type MemoryGauge, RecordBlock } from './record-block.ts';
import type { Selection } from './selection.ts';
import { type Prospect, SelectionAhead } from './selection-ahead.ts';
import type { TopicPlan } from './topic-plan.ts';

/** Takes sealed blocks to disk, in order. */
export interface BlockStore {
  /** Whether blocks are taken to disk now; what it does not take stays in memory alone. */
  readonly isStoring: boolean;
  add(block: RecordBlock): void;
}

export type SessionRingOptions = {
  readonly blockBytes: number;
  readonly blockAgeNs: number;
  /**
   * Packs each block when it is sealed. When that is done depends on the machine, and how much memory is taken with it: not for a
   * session that has to give the same recordings each time.
   */
  readonly isPacking?: boolean;
  readonly packer?: BlockPacker;
};

/** Memory of packed blocks that waits for the next ones: making it anew for each costs more than filling it. */
const SPARES_MAX = 2;
/** Channels that are described ahead of the first recording, for each block that is sealed. */
const DEFINED_PER_BLOCK = 8;
/** Messages that a block is expected to have more than the last one. */
const ROWS_GROWTH = 1.1;

/** Changed in place: every message passes through it. */
export class SessionRing {
  readonly base: TimeBase;
  readonly channels = new ChannelTable();
  readonly latched: LatchedContext;
  readonly #options: SessionRingOptions;
  readonly #latchedIds = new Map<number, boolean>();
  #store: BlockStore | undefined;
  #blocks: RecordBlock[] = [];
  #open: RecordBlock | undefined;
  readonly #packer: BlockPacker;
  readonly #ahead: SelectionAhead;
  readonly #spares: Uint8Array[] = [];
  #rows = 0;
  readonly #sealed: MemoryGauge = { bytes: 0 };
  #droppedMessages = 0;
  /** Latest time of what was dropped: nothing up to here can be claimed whole. */
  #droppedUntil = Number.NEGATIVE_INFINITY;

  constructor(firstNs: bigint, options: SessionRingOptions) {
    this.base = timeBaseOf(firstNs);
    this.latched = new LatchedContext(this.base);
    this.#options = options;
    this.#packer = options.packer ?? new BlockPacker();
    this.#ahead = new SelectionAhead(this);
  }

  get memoryBytes(): number {
    return this.#sealed.bytes + (this.#open?.memoryBytes ?? 0) + this.latched.sizeBytes;
  }
  get blocks(): readonly RecordBlock[] {
    return this.#blocks;
  }
  get droppedUntil(): number {
    return this.#droppedUntil;
  }
  /** Messages that were dropped though an event or pre-window could have needed them. */
  get droppedMessages(): number {
    return this.#droppedMessages;
  }

  storeIn(store: BlockStore): void {
    this.#store = store;
  }

  /** Returns the message's time as a distance from the base. */
  push(message: SourceMessage): number {
    const channelId = this.channels.idOf(message.channel);
    let block = this.#open;
    if (block === undefined || !block.hasRoomFor(message)) {
      this.seal();
      const bytes = this.#memoryFor(recordBytesMax(message));
      block = new RecordBlock(this.base, { packer: this.#packer, bytes, rows: this.#rows });
      this.#open = block;
      this.#blocks.push(block);
    }
    if (this.#isLatched(message, channelId)) this.latched.push(message, channelId);
    return block.add(message, channelId);
  }

  /** Seals the open block when its messages have waited for too long at `now`. */
  sealIfOld(now: number): void {
    if (this.#open !== undefined && now - this.#open.earliest >= this.#options.blockAgeNs) this.seal();
  }

  /** Ends the open block and hands it on to the disk. */
  seal(): void {
    const block = this.#open;
    if (block === undefined || block.messages === 0) return;
    this.#open = undefined;
    block.seal();
    block.countIn(this.#sealed);
    this.#rows = Math.ceil(block.messages * ROWS_GROWTH);
    if (this.#options.isPacking === true) void this.#pack(block);
    this.#store?.add(block);
  }

  /**
   * Frees what neither an event nor a pre-window needs: records older than `needed` leave memory when they are on disk, and leave
   * the ring when they are older than `held` or on no disk.
   */
  trim(needed: number, held: number): void {
    const isStoring = this.#store?.isStoring === true;
    for (const block of this.#blocks) {
      if (block.latest >= needed || block === this.#open) break;
      this.#evict(block);
    }
    for (let block = this.#blocks[0]; block !== undefined && block !== this.#open; block = this.#blocks[0]) {
      const isOut = block.latest < held || (block.latest < needed && !block.isStored && !isStoring);
      if (!isOut && !block.isDropped) break;
      // What still waits for the disk is kept until it is there.
      if (!block.isDropped && !block.isStored && isStoring) break;
      this.#drop(block);
    }
    this.latched.forgetBefore(held);
  }

  /** Leaves to the disk what is there, oldest first, until memory is within its bound; true when it is. */
  evictToSize(sizeBytesMax: number): boolean {
    for (const block of this.#blocks) {
      if (this.memoryBytes <= sizeBytesMax) return true;
      this.#evict(block);
    }
    return this.memoryBytes <= sizeBytesMax;
  }

  /** Drops the oldest blocks for good until memory is within its bound; the open block stays. */
  dropToSize(sizeBytesMax: number): void {
    for (let block = this.#blocks[0]; block !== undefined; block = this.#blocks[0]) {
      if (this.memoryBytes <= sizeBytesMax || block === this.#open) return;
      this.#droppedMessages += block.messages;
      this.#drop(block);
    }
  }

  /** Chooses messages of `span` among the blocks that memory knows. */
  select(span: Span, plan: TopicPlan): Selection {
    return this.#ahead.finish({ span, plan }, this.#blocks);
  }

  /** Begins to choose what open events will want. */
  selectAhead(prospects: readonly Prospect[]): void {
    this.#ahead.advance(prospects, this.#blocks);
  }

  offsetOf(ns: bigint): number {
    return offsetOf(this.base, ns);
  }

  async #pack(block: RecordBlock): Promise<void> {
    try {
      await block.pack();
      this.channels.defineSome(DEFINED_PER_BLOCK);
    } catch {
      // It stays as it is; whoever needs it is told why.
    }
    const spare = block.takeSpare();
    if (spare?.length === this.#options.blockBytes && this.#spares.length < SPARES_MAX) this.#spares.push(spare);
  }

  #memoryFor(sizeBytes: number): Uint8Array {
    const { blockBytes } = this.#options;
    if (sizeBytes > blockBytes) return new Uint8Array(sizeBytes);
    return this.#spares.pop() ?? new Uint8Array(blockBytes);
  }

  #evict(block: RecordBlock): void {
    if (block.isStored && block.isInMemory) block.evict();
  }

  /** Recordings that hold the block still read it. */
  #drop(block: RecordBlock): void {
    this.#blocks.shift();
    block.countIn(undefined);
    if (block.latest > this.#droppedUntil) this.#droppedUntil = block.latest;
    if (!block.isStored) block.isDropped = true;
    else {
      if (block.isInMemory) block.evict();
      block.dropColumns();
    }
  }

  #isLatched(message: SourceMessage, channelId: number): boolean {
    let latched = this.#latchedIds.get(channelId);
    if (latched === undefined) {
      latched = isLatched(message.channel);
      this.#latchedIds.set(channelId, latched);
    }
    return latched;
  }
}
