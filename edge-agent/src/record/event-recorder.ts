/**
 * Keeps the seconds that matter: a ring of messages, the windows that triggers claim in it, and the recordings that come out. A
 * deterministic state machine over message times; equal input gives equal recordings.
 */
import type { Campaign, EventId, PullRequest, RecordingCut, SourceMessage } from '@fleetloop/schemas';
import type { DiskRing } from './disk-ring.ts';
import {
  closeEarly,
  type ClosingStep,
  type EarlyClosings,
  markStale,
  nextEarlyNs,
  NOTHING_EARLY,
  settleWindows,
} from './early-closing.ts';
import type { IntervalFacts, RecordedBy, SessionStart } from './event-metadata.ts';
import {
  claimWindow,
  closeWindows,
  completeWindows,
  type EventWindow,
  type EventWindows,
  nextCompletionNs,
  NO_WINDOWS,
  splitWindows,
} from './event-windows.ts';
import { timeAt } from './message-record.ts';
import { BlockPacker } from './packed-block.ts';
import { PublishedRecordings } from './published-recordings.ts';
import { recordRange } from './range-recordings.ts';
import { explainRecorder, type RecorderExplanation } from './recorder-explanation.ts';
import type { RecordedCampaign, RecorderEffect } from './recorder-effects.ts';
import { RecordingBuilder } from './recording-builder.ts';
import { recoverClaims } from './ring-recovery.ts';
import { SessionRing } from './session-ring.ts';
import type { StoredSession } from './stored-session.ts';
import { topicPlanOf } from './topic-plan.ts';

const NS_PER_MS = 1_000_000n;
/** Columns of messages stay in memory for the longest pre-window that a campaign may ask for. */
const HELD_NS = 120_000 * 1e6;
const BLOCK_BYTES = 256 * 1024;
const BLOCK_BYTES_MIN = 16 * 1024;
/** Blocks that fit into the ring, so that it can be trimmed in steps. */
const BLOCKS_PER_RING_MIN = 16;
const BLOCK_AGE_MS = 1_000;
/** How far the ring may run over its bound while the disk catches up. */
const OVERRUN_MAX = 2;
const NOTHING: readonly RecorderEffect[] = [];

export type RecorderOptions = RecordedBy & {
  /** Most memory of the ring, bytes; over it a live session leaves the oldest to the disk, and otherwise an open event is cut. */
  readonly ringBytesMax: number;
  /** Bytes of a block, and the time after which a live session seals one that is not full, ms. */
  readonly blockBytes?: number;
  readonly blockAgeMs?: number;
  /** Where live sessions keep their blocks and claims. */
  readonly disk?: DiskRing;
  /** What others know of the interval of a recording. */
  readonly facts?: IntervalFacts;
};

export type RecorderSession = SessionStart & {
  /** It can be read again from its start: then nothing of it has to survive a stop, and nothing is closed early. */
  readonly isReplayable: boolean;
};

/** Messages seen and kept per topic, over all sessions. */
export type TopicCounts = ReadonlyMap<string, { readonly seen: number; readonly kept: number }>;

/** Changed in place: every message passes through it. */
export class EventRecorder {
  readonly #options: RecorderOptions;
  readonly #builder: RecordingBuilder;
  readonly #packer = new BlockPacker();
  readonly #topics = new Map<string, { seen: number; kept: number }>();
  #campaigns: readonly Campaign[] = [];
  /** Campaigns as they were when they claimed a part of a pending event. */
  #claiming: readonly Campaign[] = [];
  #preNsMax = 0n;
  #windows: EventWindows = NO_WINDOWS;
  #early: EarlyClosings = NOTHING_EARLY;
  #published: PublishedRecordings;
  #session: RecorderSession | undefined;
  #ring: SessionRing | undefined;
  #stored: StoredSession | undefined;
  /** Earliest time that an event may still claim: behind the session's start and what is recorded for good. */
  #floorNs = 0n;
  /** Latest time seen, and the time at which the windows have to be looked at again; distances from the ring's base. */
  #now = Number.NEGATIVE_INFINITY;
  #due = Number.POSITIVE_INFINITY;
  #trimmedBlocks = 0;
  #droppedByMemory = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#builder = new RecordingBuilder(options);
    this.#published = new PublishedRecordings(() => {});
  }

  get pendingEvents(): number {
    return this.#windows.pending.length;
  }

  /** Session time at which `tick` or `push` will have something to close; undefined while nothing is open. */
  get dueNs(): bigint | undefined {
    const ring = this.#ring;
    return ring === undefined || !Number.isFinite(this.#due) ? undefined : timeAt(ring.base, this.#due);
  }

  /** Messages that the ring dropped because its memory was full. */
  get droppedByMemory(): number {
    return this.#droppedByMemory + (this.#ring?.droppedMessages ?? 0);
  }

  topics(): TopicCounts {
    return this.#topics;
  }

  /** Campaigns whose triggers wait for their post-window, or for being settled. */
  drainingCampaigns(): ReadonlySet<string> {
    return new Set(this.#windows.pending.flatMap((event) => event.campaignIds));
  }

  /** Recordings of the events that the last boot left open. Call it once, before the first session. @throws FleetError SPOOL_CORRUPT */
  async recover(): Promise<readonly RecorderEffect[]> {
    const { disk } = this.#options;
    return disk === undefined ? NOTHING : recoverClaims(disk, this.#builder);
  }

  /** Replaces the campaigns. The ring and the events that wait for their post-windows stay. */
  setCampaigns(campaigns: readonly Campaign[]): void {
    this.#campaigns = campaigns;
    this.#forgetClaiming();
    this.#plan();
  }

  startSession(session: RecorderSession): void {
    this.abandonSession();
    this.#session = session;
  }

  /** Adds a message; returns what is due now. Triggers of this message come after it, by `trigger`. @throws FleetError SOURCE_LIMIT */
  push(message: SourceMessage): readonly RecorderEffect[] {
    const ring = this.#ring ?? this.#openRing(message.logTimeNs);
    this.#countSeen(message.channel.topic);
    const time = ring.push(message);
    if (time > this.#now) this.#now = time;
    else if (this.#early.parts.length > 0) this.#early = markStale(this.#early, message.logTimeNs);
    return this.#advance(ring);
  }

  /** Time passes without a message. */
  tick(nowNs: bigint): readonly RecorderEffect[] {
    const ring = this.#ring;
    if (ring === undefined) return NOTHING;
    this.#now = Math.max(this.#now, ring.offsetOf(nowNs));
    return this.#advance(ring);
  }

  /** A campaign fired at `timeNs`: its window is claimed. */
  trigger(campaign: Campaign, timeNs: bigint): void {
    const ring = this.#ring ?? this.#openRing(timeNs);
    const wantedNs = timeNs - BigInt(campaign.preWindowMs) * NS_PER_MS;
    const floorNs = this.#heldFromNs(ring);
    const startNs = wantedNs < floorNs ? floorNs : wantedNs;
    const endNs = timeNs + BigInt(campaign.postWindowMs) * NS_PER_MS;
    // A moment that came out of order and lies whole within an event that is complete is recorded already.
    if (endNs < startNs) return;
    const eventNsMax = BigInt(campaign.eventMsMax) * NS_PER_MS;
    const claim = { campaignId: campaign.id, timeNs, startNs, endNs, eventNsMax };
    this.#windows = claimWindow(this.#windows, claim);
    if (!this.#claiming.includes(campaign)) this.#claiming = [...this.#claiming, campaign];
    this.#plan();
    this.#stored?.claim(campaign, claim);
  }

  /** Ends the session: open events are closed, their post-windows cut off at the last time seen. */
  endSession(): readonly RecorderEffect[] {
    const ring = this.#ring;
    if (ring === undefined) {
      this.abandonSession();
      return NOTHING;
    }
    const nowNs = timeAt(ring.base, this.#now);
    ring.seal();
    const events = closeWindows(this.#windows, nowNs);
    this.#windows = NO_WINDOWS;
    const effects = this.#settle(ring, events);
    this.#stored?.end(nowNs);
    this.abandonSession();
    return effects;
  }

  /**
   * Drops what is open: for a stop in the middle of a session that will be replayed from its start. What a live session has claimed
   * on disk stays claimed there.
   */
  abandonSession(): void {
    this.#droppedByMemory += this.#ring?.droppedMessages ?? 0;
    this.#windows = NO_WINDOWS;
    this.#early = NOTHING_EARLY;
    this.#claiming = [];
    this.#ring = undefined;
    this.#stored = undefined;
    this.#session = undefined;
    this.#now = Number.NEGATIVE_INFINITY;
    this.#due = Number.POSITIVE_INFINITY;
  }

  /** Records a stored range again. @throws FleetError PULL_UNAVAILABLE naming what is held, SPOOL_CORRUPT */
  async claimRange(pull: PullRequest): Promise<readonly RecorderEffect[]> {
    const [ring, session] = [this.#ring, this.#session];
    const live = ring === undefined || session === undefined ? [] : [{ ring, session, stored: this.#stored }];
    return recordRange(pull, { live, disk: this.#options.disk, builder: this.#builder, facts: this.#facts() });
  }

  /** What is pending and why, and what the ring holds. */
  explain(): RecorderExplanation {
    const ring = this.#ring;
    const session = this.#session;
    return explainRecorder({
      ...(session === undefined ? {} : { session: session.session }),
      ...(ring === undefined ? {} : { ring, nowNs: timeAt(ring.base, this.#now) }),
      pending: this.#windows.pending.map((window) => ({
        window,
        eventId: this.#builder.idOf(session?.session ?? '', window),
        isClosed: this.#early.closed.has(window),
      })),
      preNsMax: this.#preNsMax,
      disk: this.#options.disk,
    });
  }

  #openRing(firstNs: bigint): SessionRing {
    const session = this.#session;
    if (session === undefined) throw new Error('a message came outside a session');
    const { ringBytesMax, disk, blockAgeMs = BLOCK_AGE_MS } = this.#options;
    const fitting = Math.max(BLOCK_BYTES_MIN, Math.floor(ringBytesMax / BLOCKS_PER_RING_MIN));
    const blockBytes = this.#options.blockBytes ?? Math.min(BLOCK_BYTES, fitting);
    const ring = new SessionRing(firstNs, {
      blockBytes,
      blockAgeNs: session.isReplayable ? Number.POSITIVE_INFINITY : blockAgeMs * Number(NS_PER_MS),
      isPacking: !session.isReplayable,
      packer: this.#packer,
    });
    this.#ring = ring;
    this.#floorNs = firstNs;
    this.#trimmedBlocks = 0;
    const stored = session.isReplayable ? undefined : disk?.beginSession(session, ring);
    this.#stored = stored;
    if (stored !== undefined) ring.storeIn(stored);
    this.#published = new PublishedRecordings((window) => stored?.recorded(window));
    return ring;
  }

  #advance(ring: SessionRing): readonly RecorderEffect[] {
    const effects = this.#now >= this.#due ? this.#complete(ring) : NOTHING;
    ring.sealIfOld(this.#now);
    if (ring.blocks.length !== this.#trimmedBlocks) this.#trim(ring);
    if (this.#stored?.takeIsFull() === true) return [...effects, ...this.#relieve(ring, 'disk')];
    if (ring.memoryBytes <= this.#options.ringBytesMax) return effects;
    return [...effects, ...this.#relieveMemory(ring)];
  }

  #complete(ring: SessionRing): readonly RecorderEffect[] {
    const nowNs = timeAt(ring.base, this.#now);
    const completed = completeWindows(this.#windows, nowNs, this.#preNsMax);
    this.#windows = completed.state;
    const settled = this.#settle(ring, completed.events);
    if (this.#session?.isReplayable !== false) return settled;
    const closed = closeEarly(this.#early, this.#windows, nowNs);
    this.#early = closed.early;
    this.#plan();
    return [...settled, ...this.#follow(ring, closed.steps)];
  }

  /** The events cannot change any more. */
  #settle(ring: SessionRing, events: readonly EventWindow[], cut?: RecordingCut): readonly RecorderEffect[] {
    const { early, steps } = settleWindows(this.#early, events);
    this.#early = early;
    const effects = this.#follow(ring, steps, cut);
    for (const { endNs } of events) if (this.#floorNs <= endNs) this.#floorNs = endNs + 1n;
    this.#forgetClaiming();
    this.#plan();
    return effects;
  }

  #follow(ring: SessionRing, steps: readonly ClosingStep[], cut?: RecordingCut): readonly RecorderEffect[] {
    return steps.flatMap((step): readonly RecorderEffect[] => {
      const eventId = this.#idOf(step.window);
      if (step.kind === 'close') return this.#close(ring, step, cut);
      if (!this.#published.has(eventId)) return NOTHING;
      if (step.kind === 'settle') {
        this.#countKept(this.#published.settle(eventId));
        return [{ kind: 'settle', eventId }];
      }
      this.#published.withdraw(eventId);
      return [{ kind: 'withdraw', eventId, into: this.#idOf(step.into) }];
    });
  }

  #close(
    ring: SessionRing,
    { window, isSettled }: ClosingStep & { readonly kind: 'close' },
    cut: RecordingCut | undefined,
  ): readonly RecorderEffect[] {
    const session = this.#session;
    if (session === undefined) throw new Error('an event completed outside a session');
    const campaigns = this.#campaignsOf(window);
    const plan = topicPlanOf(campaigns);
    const span = { start: ring.offsetOf(window.startNs), end: ring.offsetOf(window.endNs) };
    const selection = ring.select(span, plan);
    const eventId = this.#idOf(window);
    const kept = new Map([...selection.kept].map(([id, count]) => [ring.channels.at(id).topic, count]));
    const released = this.#published.add(eventId, window, kept);
    if (isSettled) this.#countKept(this.#published.settle(eventId));
    // A part of a cut chain may hold nothing at all.
    if (selection.messages === 0 && window.triggers.length === 0) {
      this.#published.withdraw(eventId);
      released();
      return NOTHING;
    }
    const isCut = cut !== undefined && this.#windows.pending.some((event) => event.startNs === window.endNs + 1n);
    const recording = this.#builder.build(
      { base: ring.base, channels: ring.channels, session, facts: this.#facts() },
      {
        window,
        plan,
        selection,
        campaigns,
        released,
        context: ring.latched.before(span.start, plan),
        ...(isCut ? { cut } : {}),
      },
    );
    return [{ kind: 'close', recording, isSettled }];
  }

  /** Frees what no pending event and no later pre-window can need. */
  #trim(ring: SessionRing): void {
    const first = this.#windows.pending[0]?.startNs;
    const pre = this.#now - Number(this.#preNsMax);
    const needed = first === undefined ? pre : Math.min(pre, ring.offsetOf(first));
    const isLive = this.#stored !== undefined;
    ring.trim(needed, isLive ? Math.min(needed, this.#now - HELD_NS) : needed);
    this.#stored?.keepFrom(needed, first === undefined ? Number.POSITIVE_INFINITY : ring.offsetOf(first));
    this.#selectAhead(ring);
    this.#trimmedBlocks = ring.blocks.length;
  }

  /** What open events want is chosen bit by bit, as closing one must not hold up the messages behind it. */
  #selectAhead(ring: SessionRing): void {
    const open = this.#windows.pending.filter((window) => !this.#early.closed.has(window));
    const prospects = open.map((window) => ({
      span: { start: ring.offsetOf(window.startNs), end: ring.offsetOf(window.endNs) },
      plan: topicPlanOf(this.#campaignsOf(window)),
    }));
    ring.selectAhead(prospects);
  }

  /** Memory is full: the disk holds what is there already; without a disk an open event is cut. */
  #relieveMemory(ring: SessionRing): readonly RecorderEffect[] {
    const { ringBytesMax } = this.#options;
    this.#trim(ring);
    if (ring.evictToSize(ringBytesMax)) return NOTHING;
    if (this.#stored?.isStoring === true && ring.memoryBytes <= OVERRUN_MAX * ringBytesMax) return NOTHING;
    const effects = this.#relieve(ring, 'memory');
    ring.dropToSize(ringBytesMax);
    this.#trimmedBlocks = ring.blocks.length;
    return effects;
  }

  /** Open events are cut here and written; what follows continues them. */
  #relieve(ring: SessionRing, cut: RecordingCut): readonly RecorderEffect[] {
    const split = splitWindows(this.#windows, timeAt(ring.base, this.#now));
    this.#windows = split.state;
    const effects = this.#settle(ring, split.events, cut);
    this.#trim(ring);
    return effects;
  }

  /** Works out when the windows have to be looked at again. */
  #plan(): void {
    const campaigns = [...this.#campaigns, ...this.#claiming];
    this.#preNsMax = BigInt(Math.max(0, ...campaigns.map((campaign) => campaign.preWindowMs))) * NS_PER_MS;
    const ring = this.#ring;
    if (ring === undefined) return;
    const dueNs = [
      nextCompletionNs(this.#windows, this.#preNsMax),
      this.#session?.isReplayable === false ? nextEarlyNs(this.#early, this.#windows) : undefined,
    ];
    this.#due = Math.min(...dueNs.map((ns) => (ns === undefined ? Number.POSITIVE_INFINITY : ring.offsetOf(ns))));
  }

  /** Forgets campaigns that claim no part of a pending event any more. */
  #forgetClaiming(): void {
    const draining = this.drainingCampaigns();
    this.#claiming = this.#claiming.filter((campaign) => draining.has(campaign.id));
  }

  #campaignsOf(window: EventWindow): readonly RecordedCampaign[] {
    return window.campaignIds.flatMap((id) => this.#claiming.filter((campaign) => campaign.id === id));
  }

  #heldFromNs(ring: SessionRing): bigint {
    const held = ring.droppedUntil;
    const heldNs = Number.isFinite(held) ? timeAt(ring.base, held) + 1n : this.#floorNs;
    return heldNs > this.#floorNs ? heldNs : this.#floorNs;
  }

  #idOf(window: EventWindow): EventId {
    return this.#builder.idOf(this.#session?.session ?? '', window);
  }

  #facts(): IntervalFacts {
    return this.#options.facts ?? {};
  }

  #countSeen(topic: string): void {
    const counts = this.#topics.get(topic);
    if (counts === undefined) this.#topics.set(topic, { seen: 1, kept: 0 });
    else counts.seen += 1;
  }

  #countKept(kept: ReadonlyMap<string, number>): void {
    for (const [topic, count] of kept) {
      const counts = this.#topics.get(topic);
      if (counts !== undefined) counts.kept += count;
    }
  }
}
