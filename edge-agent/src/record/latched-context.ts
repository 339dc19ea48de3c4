/**
 * Remembers what slow and one-off topics said last: a recording begins with the calibration, versions and states that were in force
 * when it began, though they were said long before.
 */
import type { Channel, SourceMessage } from '@fleetloop/schemas';
import { recordBytesMax, type TimeBase, writeRecord } from './message-record.ts';
import { type TopicPlan, wants } from './topic-plan.ts';

/** A channel that declares to be slower than this counts as latched, Hz. */
export const LATCHED_RATE_HZ = 0.2;
/** Messages remembered per channel: enough to know what was in force at the start of the longest pre-window. */
export const LATCHED_PER_CHANNEL_MAX = 64;
/** Memory of all of them together; a message that does not fit is not remembered. */
export const LATCHED_BYTES_MAX = 8 * 1024 * 1024;

export type ContextRecord = {
  readonly topic: string;
  readonly channelId: number;
  /** Distance of its logTime from the session's base, ns. */
  readonly time: number;
  /** One whole record, as it stood in the ring. */
  readonly bytes: Uint8Array;
};

export const isLatched = ({ isLatched: declared, rateHz }: Channel): boolean =>
  declared ?? (rateHz !== undefined && rateHz < LATCHED_RATE_HZ);

export class LatchedContext {
  readonly #base: TimeBase;
  readonly #byChannel = new Map<number, ContextRecord[]>();
  #sizeBytes = 0;

  constructor(base: TimeBase) {
    this.#base = base;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  push(message: SourceMessage, channelId: number): void {
    const whole = new Uint8Array(recordBytesMax(message));
    const end = writeRecord(whole, new DataView(whole.buffer), 0, { channelId, message });
    const { topic } = message.channel;
    this.add({ topic, channelId, time: Number(message.logTimeNs - this.#base.ns), bytes: whole.subarray(0, end) });
  }

  add(record: ContextRecord): void {
    const known = this.#byChannel.get(record.channelId) ?? [];
    const index = known.findLastIndex((each) => each.time <= record.time) + 1;
    this.#sizeBytes += record.bytes.length;
    const next = known.toSpliced(index, 0, record);
    while (next.length > LATCHED_PER_CHANNEL_MAX || (next.length > 0 && this.#sizeBytes > LATCHED_BYTES_MAX))
      this.#sizeBytes -= next.shift()?.bytes.length ?? 0;
    this.#byChannel.set(record.channelId, next);
  }

  /** What was in force before `start`, in order of time, without topics that nobody wants. */
  before(start: number, plan: TopicPlan): readonly ContextRecord[] {
    const found = [...this.#byChannel.values()].flatMap(
      (records) => records.findLast((each) => each.time < start) ?? [],
    );
    return found
      .filter((record) => wants(plan, record.topic))
      .toSorted((a, b) => a.time - b.time || a.channelId - b.channelId);
  }

  /** Forgets what was replaced before `time`: no recording can begin there any more. */
  forgetBefore(time: number): void {
    for (const [channelId, records] of this.#byChannel) {
      const inForce = records.findLastIndex((each) => each.time < time);
      if (inForce <= 0) continue;
      for (const record of records.slice(0, inForce)) this.#sizeBytes -= record.bytes.length;
      this.#byChannel.set(channelId, records.slice(inForce));
    }
  }
}
