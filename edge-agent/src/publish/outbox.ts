/** What waits in the publisher: entries, encoded when they were published, in the order in which they go out. Bounded. */
import {
  encodeEntry,
  entryBytesMax,
  type PublishEntry,
  PUBLISH_TAG,
  varintSize,
  writeVarint,
} from './publish-codec.ts';
import { FRAME_HEADER_BYTES } from './publish-frames.ts';

type Waiting = {
  readonly channel: number;
  /** With tag and length, as it stands in a batch. */
  readonly bytes: Uint8Array;
  /** What it costs of the credit. */
  readonly sizeBytes: number;
};

/** Size from which a batch is closed. */
const BATCH_BYTES = 128 * 1_024;

export type OutboxLimits = { readonly messagesMax: number; readonly bytesMax: number };
export type Credit = { messages: number; bytes: number };

export class Outbox {
  readonly #limits: OutboxLimits;
  #waiting: (Waiting | undefined)[] = [];
  #head = 0;
  #bytes = 0;

  constructor(limits: OutboxLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#waiting.length - this.#head;
  }

  hasRoomFor(sizeBytes: number): boolean {
    return (
      this.length < this.#limits.messagesMax && (this.#bytes + sizeBytes <= this.#limits.bytesMax || this.length === 0)
    );
  }

  /** The caller's values and bytes are copied. */
  push(entry: Omit<PublishEntry, 'sizeBytes'>): void {
    const scratch = Buffer.allocUnsafe(entryBytesMax(entry.values?.length ?? 0, entry.data?.length ?? 0));
    const { end, sizeBytes } = encodeEntry(scratch, 0, entry);
    this.#waiting.push({ channel: entry.channel, bytes: scratch.subarray(0, end), sizeBytes });
    this.#bytes += end;
  }

  /** Returns the channel of what was dropped. */
  dropOldest(): number | undefined {
    return this.#shift()?.channel;
  }

  /** The next batch as a whole frame, taken from the credit; undefined when there is nothing or no credit for it. */
  takeFrame(credit: Credit): { readonly frame: Uint8Array; readonly messages: number } | undefined {
    const batch: Waiting[] = [];
    let bodyBytes = 0;
    while (bodyBytes < BATCH_BYTES) {
      const next = this.#waiting[this.#head];
      if (next === undefined || credit.messages < 1 || credit.bytes < next.sizeBytes) break;
      if (bodyBytes > 0 && bodyBytes + next.bytes.length > BATCH_BYTES) break;
      credit.messages -= 1;
      credit.bytes -= next.sizeBytes;
      bodyBytes += next.bytes.length;
      batch.push(next);
      this.#shift();
    }
    return batch.length === 0 ? undefined : { frame: toBatchFrame(batch, bodyBytes), messages: batch.length };
  }

  #shift(): Waiting | undefined {
    const first = this.#waiting[this.#head];
    if (first === undefined) return undefined;
    this.#waiting[this.#head] = undefined;
    this.#head += 1;
    this.#bytes -= first.bytes.length;
    if (this.#head * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return first;
  }
}

function toBatchFrame(batch: readonly Waiting[], bodyBytes: number): Uint8Array {
  const messageBytes = 1 + varintSize(bodyBytes) + bodyBytes;
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + messageBytes);
  frame.writeUInt32LE(messageBytes, 0);
  let at = writeVarint(frame, writeVarint(frame, FRAME_HEADER_BYTES, PUBLISH_TAG), bodyBytes);
  for (const { bytes } of batch) {
    frame.set(bytes, at);
    at += bytes.length;
  }
  return frame;
}
