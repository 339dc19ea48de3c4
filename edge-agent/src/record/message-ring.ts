/** Holds the latest messages of a session in the order of arrival, for pre-windows and open events. Bounded by whoever trims it. */
import type { Channel, SourceMessage } from '@fleetloop/schemas';
import { BLOCK_BYTES, MessageBlock, packedSize } from './message-block.ts';

/** Messages that were chosen; each pass over them unpacks them anew. */
export type MessageSequence = Iterable<SourceMessage> & { readonly length: number };

/** Changed in place: every message passes through it. */
export class MessageRing {
  #blocks: MessageBlock[] = [];
  /** Offset of the oldest message in the first block. */
  #head = 0;
  #sizeBytes = 0;
  #channels: Channel[] = [];
  #channelIndexes = new Map<Channel, number>();

  /** Bytes of memory that are held. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  push(message: SourceMessage): void {
    const sizeBytes = packedSize(message);
    let block = this.#blocks.at(-1);
    if (block === undefined || !block.hasRoomFor(sizeBytes)) {
      block = new MessageBlock(Math.max(BLOCK_BYTES, sizeBytes));
      this.#blocks.push(block);
      this.#sizeBytes += block.sizeBytes;
    }
    block.add(message, this.#indexOf(message.channel), sizeBytes);
  }

  /** Drops messages from the front that are older than `keepFromNs`. One that is newer keeps those behind it. */
  dropBefore(keepFromNs: bigint): void {
    for (let block = this.#blocks[0]; block !== undefined; block = this.#blocks[0]) {
      if (this.#head < block.end && block.logTimeNs(this.#head) >= keepFromNs) return;
      if (!this.#dropFirst(block)) return;
    }
  }

  /** Drops from the front until at most `sizeBytesMax` are held; returns the number dropped and the latest time among them. */
  dropToSize(sizeBytesMax: number): { readonly dropped: number; readonly untilNs: bigint } {
    let dropped = 0;
    let untilNs = 0n;
    for (let block = this.#blocks[0]; block !== undefined && this.#sizeBytes > sizeBytesMax; block = this.#blocks[0]) {
      if (this.#head < block.end) {
        const timeNs = block.logTimeNs(this.#head);
        if (timeNs > untilNs) untilNs = timeNs;
        dropped += 1;
      }
      if (!this.#dropFirst(block)) break;
    }
    return { dropped, untilNs };
  }

  /** Messages with startNs <= logTime <= endNs, in the order of arrival. They stay readable whatever happens to the ring. */
  select(startNs: bigint, endNs: bigint, topics: ReadonlySet<string> | undefined): MessageSequence {
    const chosen: ChosenMessages[] = [];
    let length = 0;
    for (const [index, block] of this.#blocks.entries()) {
      const offsets: number[] = [];
      for (let offset = index === 0 ? this.#head : 0; offset < block.end; offset = block.next(offset)) {
        const timeNs = block.logTimeNs(offset);
        if (timeNs < startNs || timeNs > endNs) continue;
        if (topics === undefined || topics.has(this.#channelAt(block, offset).topic)) offsets.push(offset);
      }
      if (offsets.length > 0) chosen.push({ block, offsets });
      length += offsets.length;
    }
    return new SelectedMessages(chosen, this.#channels, length);
  }

  clear(): void {
    this.#blocks = [];
    this.#head = 0;
    this.#sizeBytes = 0;
    this.#channels = [];
    this.#channelIndexes = new Map();
  }

  /** Steps over the first message, or frees the first block when it is used up; false when nothing is left to drop. */
  #dropFirst(block: MessageBlock): boolean {
    if (this.#head < block.end) {
      this.#head = block.next(this.#head);
      if (this.#head < block.end) return true;
    }
    // The last block is still being filled.
    if (this.#blocks.length === 1) return false;
    this.#blocks.shift();
    this.#sizeBytes -= block.sizeBytes;
    this.#head = 0;
    return true;
  }

  #indexOf(channel: Channel): number {
    let index = this.#channelIndexes.get(channel);
    if (index === undefined) {
      index = this.#channels.length;
      this.#channels.push(channel);
      this.#channelIndexes.set(channel, index);
    }
    return index;
  }

  #channelAt(block: MessageBlock, offset: number): Channel {
    return this.#channels[block.channelIndex(offset)] as Channel;
  }
}

type ChosenMessages = { readonly block: MessageBlock; readonly offsets: readonly number[] };

class SelectedMessages implements MessageSequence {
  readonly length: number;
  readonly #chosen: readonly ChosenMessages[];
  readonly #channels: readonly Channel[];

  constructor(chosen: readonly ChosenMessages[], channels: readonly Channel[], length: number) {
    this.#chosen = chosen;
    this.#channels = channels;
    this.length = length;
  }

  *[Symbol.iterator](): Generator<SourceMessage, void, undefined> {
    for (const { block, offsets } of this.#chosen) {
      for (const offset of offsets) yield block.read(offset, this.#channels[block.channelIndex(offset)] as Channel);
    }
  }
}
