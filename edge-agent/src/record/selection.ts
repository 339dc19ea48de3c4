/** Chooses the records of an event among blocks: runs of bytes to copy, and what has to be said of the messages in them. */
import type { Channel } from '@fleetloop/schemas';
import type { ChannelTable } from './channel-table.ts';
import type { Span } from './gaps.ts';
import type { TimeBase } from './message-record.ts';
import type { RecordBlock } from './record-block.ts';
import type { RecordColumns } from './record-columns.ts';
import { type TopicPlan, wants } from './topic-plan.ts';
import { TopicTimes } from './topic-times.ts';

const NS_PER_SECOND = 1e9;

/** A sealed block smaller than this is put together with others: a chunk of its own would cost more than it saves, bytes. */
const WHOLE_BYTES_MIN = 16 * 1024;

/** Records [from, to) of one block, in pairs. */
export type SelectedRuns = {
  readonly block: RecordBlock;
  readonly columns: RecordColumns;
  readonly runs: readonly number[];
  /** All of a sealed block: it becomes a chunk as it is. */
  readonly isWhole: boolean;
};

export type Selection = {
  readonly pieces: readonly SelectedRuns[];
  /** Messages kept per channel id, in the order in which the channels first appear. */
  readonly kept: ReadonlyMap<number, number>;
  readonly messages: number;
  /** Of all messages of wanted topics, those that decimation leaves out included. */
  readonly topics: ReadonlyMap<string, TopicTimes>;
};

type ChannelChoice = {
  readonly isWanted: boolean;
  readonly times: TopicTimes | undefined;
  /** Length of the slots of which each keeps its first message; 0 keeps all. */
  readonly slotNs: number;
  lastSlot: number;
  kept: number;
};

/** Where messages are chosen from. */
export type Ground = { readonly base: TimeBase; readonly channels: ChannelTable };

/** Takes one block after the other, in the order of the ring. */
export class Selector {
  readonly #ground: Ground;
  #span: Span;
  readonly #plan: TopicPlan;
  readonly #pieces: SelectedRuns[] = [];
  readonly #choices: (ChannelChoice | undefined)[] = [];
  readonly #order: number[] = [];
  readonly #topics = new Map<string, TopicTimes>();
  #messages = 0;

  constructor(ground: Ground, span: Span, plan: TopicPlan) {
    this.#ground = ground;
    this.#span = span;
    this.#plan = plan;
  }

  get messages(): number {
    return this.#messages;
  }

  /** Moves the end; nothing behind the one before may have been looked at. */
  extendTo(end: number): void {
    if (end !== this.#span.end) this.#span = { start: this.#span.start, end };
  }

  /** Whether some of what was chosen has left the ring for good since. */
  holdsDropped(): boolean {
    return this.#pieces.some(({ block }) => block.isDropped);
  }

  take(block: RecordBlock, columns: RecordColumns): void {
    const { start, end } = this.#span;
    if (block.latest < start || block.earliest > end) return;
    const { channelIds, times, sequences, starts, count } = columns;
    const runs: number[] = [];
    let runFrom = -1;
    for (let index = 0; index < count; index += 1) {
      const time = times[index] as number;
      const isKept =
        time >= start && time <= end && this.#isKept(channelIds[index] as number, time, sequences[index] as number);
      if (isKept && runFrom === -1) runFrom = starts[index] as number;
      else if (!isKept && runFrom !== -1) {
        runs.push(runFrom, starts[index] as number);
        runFrom = -1;
      }
    }
    if (runFrom !== -1) runs.push(runFrom, block.endBytes);
    if (runs.length === 0) return;
    const isAll = runs.length === 2 && runs[0] === 0 && runs[1] === block.endBytes;
    const isWhole = isAll && block.isSealed && block.endBytes >= WHOLE_BYTES_MIN;
    this.#pieces.push({ block, columns, runs, isWhole });
  }

  finish(): Selection {
    const kept = new Map(this.#order.map((id): [number, number] => [id, this.#choices[id]?.kept ?? 0]));
    return { pieces: this.#pieces, kept, messages: this.#messages, topics: this.#topics };
  }

  #isKept(channelId: number, time: number, sequence: number): boolean {
    const choice = this.#choices[channelId] ?? this.#choose(channelId);
    if (!choice.isWanted) return false;
    choice.times?.add(time, sequence);
    if (choice.slotNs > 0) {
      const slot = Math.floor(time / choice.slotNs);
      if (slot <= choice.lastSlot) return false;
      choice.lastSlot = slot;
    }
    if (choice.kept === 0) this.#order.push(channelId);
    choice.kept += 1;
    this.#messages += 1;
    return true;
  }

  #choose(channelId: number): ChannelChoice {
    const { topic }: Channel = this.#ground.channels.at(channelId);
    const isWanted = wants(this.#plan, topic);
    const rateHzMax = this.#plan.ratesHzMax.get(topic);
    const choice: ChannelChoice = {
      isWanted,
      times: isWanted ? this.#timesOf(topic) : undefined,
      slotNs: rateHzMax === undefined ? 0 : NS_PER_SECOND / rateHzMax,
      lastSlot: Number.NEGATIVE_INFINITY,
      kept: 0,
    };
    this.#choices[channelId] = choice;
    return choice;
  }

  #timesOf(topic: string): TopicTimes {
    const times = this.#topics.get(topic) ?? new TopicTimes();
    this.#topics.set(topic, times);
    return times;
  }
}
