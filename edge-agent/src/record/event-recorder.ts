/**
 * Keeps the seconds that matter: a ring of messages, the windows that triggers claim in it, and the events that come out. A
 * deterministic state machine over message times; equal input gives equal events.
 */
import {
  type Campaign,
  type EventId,
  PRIORITIES,
  type Priority,
  type RecordingMetadata,
  type SourceMessage,
} from '@fleetloop/schemas';
import { eventIdOf } from './event-id.ts';
import { eventMetadata, type RecordedBy, type SessionStart } from './event-metadata.ts';
import {
  anchorOf,
  claimWindow,
  closeWindows,
  type Completed,
  completeWindows,
  type EventWindow,
  type EventWindows,
  NO_WINDOWS,
  splitWindows,
} from './event-windows.ts';
import { findGaps, type Gap } from './gaps.ts';
import { MessageRing, type MessageSequence } from './message-ring.ts';

const NS_PER_MS = 1_000_000n;

export type RecorderOptions = RecordedBy & {
  /** Most memory of the ring, bytes; over it an open event is cut, or else the oldest messages are dropped. */
  readonly ringBytesMax: number;
};

/** An event that is complete and waits to be written. */
export type RecordedEvent = {
  readonly id: EventId;
  readonly priority: Priority;
  readonly session: string;
  readonly window: EventWindow;
  readonly gaps: readonly Gap[];
  readonly metadata: RecordingMetadata;
  readonly messages: MessageSequence;
};

/** Messages seen and kept per topic, over all sessions. */
export type TopicCounts = ReadonlyMap<string, { readonly seen: number; readonly kept: number }>;

export class EventRecorder {
  readonly #options: RecorderOptions;
  readonly #ring = new MessageRing();
  readonly #topics = new Map<string, { seen: number; kept: number }>();
  /** All campaigns that a pending trigger may name, the current ones included. */
  #campaigns = new Map<string, Campaign>();
  #preNsMax = 0n;
  #windows: EventWindows = NO_WINDOWS;
  #session: SessionStart | undefined;
  /** Earliest time that an event may still claim: behind the session's start, what was completed and what memory lost. */
  #floorNs: bigint | undefined;
  #nowNs = 0n;
  #droppedByMemory = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  get pendingEvents(): number {
    return this.#windows.pending.length;
  }

  /** Messages that the ring dropped because its memory was full. */
  get droppedByMemory(): number {
    return this.#droppedByMemory;
  }

  topics(): TopicCounts {
    return this.#topics;
  }

  /** Campaigns whose triggers wait for their post-window. */
  drainingCampaigns(): ReadonlySet<string> {
    return new Set(this.#windows.pending.flatMap((event) => event.campaignIds));
  }

  /** Replaces the campaigns. The ring and the events that wait for their post-windows stay. */
  setCampaigns(campaigns: readonly Campaign[]): void {
    const draining = this.drainingCampaigns();
    const kept = [...this.#campaigns].filter(([id]) => draining.has(id));
    this.#campaigns = new Map([...kept, ...campaigns.map((campaign): [string, Campaign] => [campaign.id, campaign])]);
    const preMs = Math.max(0, ...[...this.#campaigns.values()].map((campaign) => campaign.preWindowMs));
    this.#preNsMax = BigInt(preMs) * NS_PER_MS;
  }

  startSession(start: SessionStart): void {
    this.#session = start;
    this.#ring.clear();
    this.#windows = NO_WINDOWS;
    this.#floorNs = undefined;
    this.#nowNs = 0n;
  }

  /** Adds a message; returns the events that are complete now. Triggers of this message come after it, by `trigger`. */
  push(message: SourceMessage): readonly RecordedEvent[] {
    this.#countSeen(message.channel.topic);
    this.#floorNs ??= message.logTimeNs;
    if (message.logTimeNs > this.#nowNs) this.#nowNs = message.logTimeNs;
    const completed =
      this.#windows.pending.length === 0 ? undefined : completeWindows(this.#windows, this.#nowNs, this.#preNsMax);
    const events = completed === undefined ? [] : this.#takeOut(completed);
    this.#ring.push(message);
    this.#trim();
    return this.#ring.sizeBytes > this.#options.ringBytesMax ? [...events, ...this.#relieve()] : events;
  }

  /** A campaign fired at `timeNs`: its window is claimed. */
  trigger(campaign: Campaign, timeNs: bigint): void {
    const wantedNs = timeNs - BigInt(campaign.preWindowMs) * NS_PER_MS;
    const floorNs = this.#floorNs ?? timeNs;
    const startNs = wantedNs < floorNs ? floorNs : wantedNs;
    const endNs = timeNs + BigInt(campaign.postWindowMs) * NS_PER_MS;
    // A moment that came out of order and lies whole within an event that is complete is recorded already.
    if (endNs < startNs) return;
    const eventNsMax = BigInt(campaign.eventMsMax) * NS_PER_MS;
    this.#windows = claimWindow(this.#windows, { campaignId: campaign.id, timeNs, startNs, endNs, eventNsMax });
  }

  /** Ends the session: open events are closed, their post-windows cut off at the last message. */
  endSession(): readonly RecordedEvent[] {
    const events = this.#takeOut({ state: NO_WINDOWS, events: closeWindows(this.#windows, this.#nowNs) });
    this.abandonSession();
    return events;
  }

  /** Drops what is open, for a stop in the middle of a session that will be replayed from its start. */
  abandonSession(): void {
    this.#windows = NO_WINDOWS;
    this.#ring.clear();
    this.#session = undefined;
  }

  #takeOut(completed: Completed): RecordedEvent[] {
    this.#windows = completed.state;
    return completed.events.flatMap((window) => {
      this.#raiseFloor(window.endNs + 1n);
      const event = this.#record(window);
      // A part of a cut chain may hold nothing at all.
      return event.messages.length === 0 && window.triggers.length === 0 ? [] : [event];
    });
  }

  /** Frees what no pending event and no later pre-window can need. */
  #trim(): void {
    const preFromNs = this.#nowNs - this.#preNsMax;
    const first = this.#windows.pending[0]?.startNs;
    const keptFromNs = first !== undefined && first < preFromNs ? first : preFromNs;
    this.#ring.dropBefore(keptFromNs);
    // A campaign that comes later with a longer pre-window cannot claim what is gone.
    if (this.#ring.sizeBytes > 0) this.#raiseFloor(keptFromNs);
  }

  /** Memory is full: open events are cut here and written, and if that is not enough the oldest messages go. */
  #relieve(): RecordedEvent[] {
    const events = this.#takeOut(splitWindows(this.#windows, this.#nowNs));
    this.#trim();
    const { dropped, untilNs } = this.#ring.dropToSize(this.#options.ringBytesMax);
    this.#droppedByMemory += dropped;
    if (dropped > 0) this.#raiseFloor(untilNs + 1n);
    return events;
  }

  #raiseFloor(toNs: bigint): void {
    if (this.#floorNs === undefined || this.#floorNs < toNs) this.#floorNs = toNs;
  }

  #record(window: EventWindow): RecordedEvent {
    const session = this.#session;
    if (session === undefined) throw new Error('an event completed outside a session');
    const campaigns = window.campaignIds.flatMap((id) => this.#campaigns.get(id) ?? []);
    const topics = topicsOf(campaigns);
    const messages = this.#ring.select(window.startNs, window.endNs, topics);
    for (const { channel } of messages) this.#countKept(channel.topic);
    const channels = session.channels.filter((channel) => topics === undefined || topics.has(channel.topic));
    const gaps = findGaps(messages, window, channels);
    const idAt = (anchorNs: bigint): EventId => eventIdOf(this.#options.vehicle.id, session.session, anchorNs);
    const id = idAt(anchorOf(window));
    const continues = window.continuesNs === undefined ? {} : { continues: idAt(window.continuesNs) };
    const brief = campaigns.find((campaign) => campaign.brief !== undefined)?.brief;
    const { vehicle, software } = this.#options;
    const metadata = eventMetadata({ vehicle, software }, session, {
      id,
      window,
      gaps,
      messages,
      ...continues,
      ...(brief === undefined ? {} : { brief }),
    });
    const priority = highestPriority(campaigns);
    return { id, priority, session: session.session, window, gaps, metadata, messages };
  }

  #countSeen(topic: string): void {
    const counts = this.#topics.get(topic);
    if (counts === undefined) this.#topics.set(topic, { seen: 1, kept: 0 });
    else counts.seen += 1;
  }

  #countKept(topic: string): void {
    const counts = this.#topics.get(topic);
    if (counts !== undefined) counts.kept += 1;
  }
}

/** The topics that any of the campaigns wants; undefined is all. */
function topicsOf(campaigns: readonly Campaign[]): ReadonlySet<string> | undefined {
  const wanted = campaigns.map((campaign) => campaign.topics);
  return wanted.includes(undefined) || wanted.length === 0
    ? undefined
    : new Set(wanted.flatMap((topics) => topics ?? []));
}

function highestPriority(campaigns: readonly Campaign[]): Priority {
  return PRIORITIES.find((priority) => campaigns.some((campaign) => campaign.priority === priority)) ?? 'normal';
}
