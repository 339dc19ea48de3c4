/**
 * Keeps the seconds that matter: a ring of messages, the windows that triggers claim in it, and the recordings that come out. A
 * deterministic state machine over message times; equal input gives equal recordings.
 */
import type { Campaign, PullRequest, RecordingCut, SourceMessage } from '@fleetloop/schemas';
import { campaignsIn, ClaimingCampaigns } from './claiming-campaigns.ts';
import type { DiskRing } from './disk-ring.ts';
import { EventCloser } from './event-closer.ts';
import type { IntervalFacts, RecordedBy, SessionStart } from './event-metadata.ts';
import { timeAt } from './message-record.ts';
import { BlockPacker } from './packed-block.ts';
import { openRing, type RingLimits } from './open-ring.ts';
import { recordRange } from './range-recordings.ts';
import { explainRecorder, type RecorderExplanation } from './recorder-explanation.ts';
import type { RecorderEffect } from './recorder-effects.ts';
import { RecordingBuilder } from './recording-builder.ts';
import { recoverClaims } from './ring-recovery.ts';
import { SessionEvents } from './session-events.ts';
import { selectAhead, trimRing } from './ring-needs.ts';
import type { SessionRing } from './session-ring.ts';
import type { StoredSession } from './stored-session.ts';
import { type TopicCounts, TopicTally } from './topic-tally.ts';

/** How far the ring may run over its bound while the disk catches up. */
const OVERRUN_MAX = 2;
const NOTHING: readonly RecorderEffect[] = [];

export type RecorderOptions = RecordedBy &
  RingLimits & {
    /** Where live sessions keep their blocks and claims. */
    readonly disk?: DiskRing;
    /** What others know of the interval of a recording. */
    readonly facts?: IntervalFacts;
  };

export type RecorderSession = SessionStart & {
  /** It can be read again from its start: then nothing of it has to survive a stop, and nothing is closed early. */
  readonly isReplayable: boolean;
};

/** Changed in place: every message passes through it. */
export class EventRecorder {
  readonly #options: RecorderOptions;
  readonly #builder: RecordingBuilder;
  readonly #packer = new BlockPacker();
  readonly #tally = new TopicTally();
  readonly #campaigns = new ClaimingCampaigns();
  #session: RecorderSession | undefined;
  #ring: SessionRing | undefined;
  #stored: StoredSession | undefined;
  #events: SessionEvents | undefined;
  /** Latest time seen, and the time at which the windows have to be looked at again; distances from the ring's base. */
  #now = Number.NEGATIVE_INFINITY;
  #due = Number.POSITIVE_INFINITY;
  #trimmedBlocks = 0;
  #droppedByMemory = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#builder = new RecordingBuilder(options);
  }

  get pendingEvents(): number {
    return this.#events?.pending.length ?? 0;
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
    return this.#tally.counts;
  }

  /** Campaigns whose triggers wait for their post-window, or for being settled. */
  drainingCampaigns(): ReadonlySet<string> {
    return campaignsIn(this.#events?.pending ?? []);
  }

  /** Recordings of the events that the last boot left open. Call it once, before the first session. @throws FleetError SPOOL_CORRUPT */
  async recover(): Promise<readonly RecorderEffect[]> {
    const { disk } = this.#options;
    return disk === undefined ? NOTHING : recoverClaims(disk, this.#builder);
  }

  /** Replaces the campaigns. The ring and the events that wait for their post-windows stay. */
  setCampaigns(campaigns: readonly Campaign[]): void {
    this.#campaigns.replace(campaigns);
    this.#campaigns.keepOnly(this.#events?.pending ?? []);
    this.#events?.plan();
    this.#due = this.#events?.due ?? Number.POSITIVE_INFINITY;
  }

  startSession(session: RecorderSession): void {
    this.abandonSession();
    this.#session = session;
  }

  /** Adds a message; returns what is due now. Triggers of this message come after it, by `trigger`. @throws FleetError SOURCE_LIMIT */
  push(message: SourceMessage): readonly RecorderEffect[] {
    const ring = this.#ring ?? this.#openRing(message.logTimeNs);
    this.#tally.see(message.channel.topic);
    const time = ring.push(message);
    if (time > this.#now) this.#now = time;
    else this.#events?.late(message.logTimeNs);
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
    if (this.#ring === undefined) this.#openRing(timeNs);
    const claim = this.#events?.claim(campaign, timeNs);
    if (claim === undefined) return;
    this.#due = this.#events?.due ?? Number.POSITIVE_INFINITY;
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
    const effects = this.#events?.end(nowNs) ?? NOTHING;
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
    this.#campaigns.keepOnly([]);
    this.#ring = undefined;
    this.#stored = undefined;
    this.#events = undefined;
    this.#session = undefined;
    this.#now = Number.NEGATIVE_INFINITY;
    this.#due = Number.POSITIVE_INFINITY;
  }

  /** Records a stored range again. @throws FleetError PULL_UNAVAILABLE naming what is held, SPOOL_CORRUPT */
  async claimRange(pull: PullRequest): Promise<readonly RecorderEffect[]> {
    const [ring, session] = [this.#ring, this.#session];
    const live = ring === undefined || session === undefined ? [] : [{ ring, session, stored: this.#stored }];
    return recordRange(pull, {
      live,
      disk: this.#options.disk,
      builder: this.#builder,
      facts: this.#options.facts ?? {},
    });
  }

  /** What is pending and why, and what the ring holds. */
  explain(): RecorderExplanation {
    const ring = this.#ring;
    const session = this.#session;
    return explainRecorder({
      ...(session === undefined ? {} : { session: session.session }),
      ...(ring === undefined ? {} : { ring, nowNs: timeAt(ring.base, this.#now) }),
      pending: (this.#events?.pending ?? []).map((window) => ({
        window,
        eventId: this.#builder.idOf(session?.session ?? '', window),
        isClosed: this.#events?.isClosed(window) === true,
      })),
      preNsMax: this.#campaigns.preNsMax,
      disk: this.#options.disk,
    });
  }

  #openRing(firstNs: bigint): SessionRing {
    const session = this.#session;
    if (session === undefined) throw new Error('a message came outside a session');
    const { disk, facts = {} } = this.#options;
    const { isReplayable } = session;
    const ring = openRing(firstNs, this.#options, { isReplayable, packer: this.#packer });
    this.#ring = ring;
    this.#trimmedBlocks = 0;
    const stored = isReplayable ? undefined : disk?.beginSession(session, { ring, facts });
    this.#stored = stored;
    if (stored !== undefined) ring.storeIn(stored);
    const [builder, campaigns, tally] = [this.#builder, this.#campaigns, this.#tally];
    const closer = new EventCloser({ session, ring, stored, builder, campaigns, tally, facts });
    this.#events = new SessionEvents({ ring, campaigns, closer, isReplayable, firstNs });
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
    const effects = this.#events?.complete(timeAt(ring.base, this.#now)) ?? NOTHING;
    this.#due = this.#events?.due ?? Number.POSITIVE_INFINITY;
    return effects;
  }

  #trim(ring: SessionRing): void {
    const kept = { ring, stored: this.#stored, campaigns: this.#campaigns };
    trimRing(kept, this.#now, this.#events?.pending[0]);
    selectAhead(kept, this.#events?.open ?? []);
    this.#trimmedBlocks = ring.blocks.length;
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
    const effects = this.#events?.cut(timeAt(ring.base, this.#now), cut) ?? NOTHING;
    this.#due = this.#events?.due ?? Number.POSITIVE_INFINITY;
    this.#trim(ring);
    return effects;
  }
}
