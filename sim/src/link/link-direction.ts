/** One direction of a scripted link: a rate that all connections share, a delay, and holes that hold up what is behind them. */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { SeededRandom } from '../simulation/seeded-random.ts';
import { type LinkConditions, SEGMENT_BYTES } from './link-script.ts';

const MS_PER_S = 1_000;
/** A link that was behind its time, since the machine was busy, may make up for this much: the bytes were waiting for it. */
const BURST_MS = 50;
/** Shorter waits than this are added up: a timer is no more exact. */
const WAIT_MS_MIN = 2;
/** Bytes of one connection that are on their way; a receiver that does not read holds the sender up. */
const ON_THE_WAY_BYTES_MAX = 4 * 1_024 * 1_024;

export type DirectionParts = {
  readonly conditions: () => LinkConditions;
  readonly random: SeededRandom;
  /** Called when bytes have taken their time on the link, whether or not they will arrive. */
  readonly onBytes: (total: number) => void;
};

export class LinkDirection {
  readonly #parts: DirectionParts;
  /** When the link has sent all that was given to it, ms. */
  #freeAtMs = 0;
  /** Nothing arrives before this: a hole or a silence. */
  #heldUntilMs = 0;
  #onLinkBytes = 0;
  #deliveredBytes = 0;

  constructor(parts: DirectionParts) {
    this.#parts = parts;
  }

  /** Bytes that took time on the link. */
  get onLinkBytes(): number {
    return this.#onLinkBytes;
  }

  /** Bytes that came out at the other end. */
  get deliveredBytes(): number {
    return this.#deliveredBytes;
  }

  /** Nothing moves for a while. */
  silence(forMs: number): void {
    const untilMs = performance.now() + forMs;
    this.#heldUntilMs = Math.max(this.#heldUntilMs, untilMs);
    this.#freeAtMs = Math.max(this.#freeAtMs, untilMs);
  }

  /** Carries what one socket gives to another until one of them ends. */
  async carry(source: Socket, target: Socket): Promise<void> {
    let delivery = Promise.resolve();
    let onTheWayBytes = 0;
    for await (const bytes of source as AsyncIterable<Buffer>) {
      for (let offset = 0; offset < bytes.length; offset += SEGMENT_BYTES) {
        // What a cut has left in the buffer of the sender never was on the link.
        if (source.destroyed) return;
        const segment = bytes.subarray(offset, offset + SEGMENT_BYTES);
        const arrivesAtMs = await this.#pass(segment.length);
        onTheWayBytes += segment.length;
        delivery = delivery.then(async () => {
          await waitUntil(arrivesAtMs);
          onTheWayBytes -= segment.length;
          if (!target.destroyed) await this.#deliver(target, segment);
        });
        if (onTheWayBytes > ON_THE_WAY_BYTES_MAX) await delivery;
      }
    }
    await delivery;
    target.end();
  }

  /** Takes the time of the link; returns when the bytes arrive. */
  async #pass(bytes: number): Promise<number> {
    const { bytesPerS, delayMs, lossShare, retransmitMs } = this.#parts.conditions();
    this.#freeAtMs = Math.max(this.#freeAtMs, performance.now() - BURST_MS);
    if (bytesPerS !== null) this.#freeAtMs += (bytes * MS_PER_S) / bytesPerS;
    await waitUntil(this.#freeAtMs);
    this.#onLinkBytes += bytes;
    this.#parts.onBytes(this.#onLinkBytes);
    const sentAtMs = performance.now();
    if (this.#parts.random.chance(lossShare)) {
      this.#heldUntilMs = Math.max(this.#heldUntilMs, sentAtMs + delayMs + retransmitMs);
    }
    return Math.max(sentAtMs + delayMs, this.#heldUntilMs);
  }

  async #deliver(target: Socket, segment: Buffer): Promise<void> {
    this.#deliveredBytes += segment.length;
    if (target.write(segment)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        target.off('drain', done).off('close', done);
        resolve();
      };
      target.once('drain', done).once('close', done);
    });
  }
}

async function waitUntil(atMs: number): Promise<void> {
  const leftMs = atMs - performance.now();
  if (leftMs >= WAIT_MS_MIN) await delay(leftMs);
}
