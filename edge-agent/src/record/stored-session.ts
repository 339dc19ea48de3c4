/** One session as the disk of the ring knows it: its channels, its blocks on disk, and what its recorder still needs of them. */
import type { Campaign } from '@fleetloop/schemas';
import { ChannelTable } from './channel-table.ts';
import type { ClaimJournal } from './claim-journal.ts';
import type { IntervalFacts, SessionStart } from './event-metadata.ts';
import type { EventWindow, WindowClaim } from './event-windows.ts';
import type { ContextRecord } from './latched-context.ts';
import { type TimeBase, timeBaseOf } from './message-record.ts';
import type { RecordBlock } from './record-block.ts';
import { SessionNotes } from './session-notes.ts';
import type { BlockStore, SessionRing } from './session-ring.ts';
import { type SessionFacts } from './segment-texts.ts';

/** What a session asks of the disk it is kept on. */
export type SessionDisk = {
  readonly journal: ClaimJournal;
  readonly isStoring: () => boolean;
  readonly isIdle: () => boolean;
  readonly add: (session: StoredSession, block: RecordBlock) => void;
};

/** What a live session is captured into, and what others know of it. */
export type LiveGround = { readonly ring: SessionRing; readonly facts: IntervalFacts };

export class StoredSession implements BlockStore {
  readonly number: number;
  readonly start: SessionStart;
  readonly base: TimeBase;
  readonly channels: ChannelTable;
  /** On disk, in the order of arrival. */
  readonly blocks: RecordBlock[] = [];
  /** Latched messages that segments name, for sessions of former boots. */
  readonly context: ContextRecord[] = [];
  readonly notes: SessionNotes;
  readonly #disk: SessionDisk;
  readonly #ring: SessionRing | undefined;
  #blocksSeen = 0;
  #isSealWanted = false;
  #isFull = false;
  /** What a pre-window or an event needs, and what an event alone needs. */
  #neededFrom = Number.NEGATIVE_INFINITY;
  #claimedFrom = Number.POSITIVE_INFINITY;

  constructor(number: number, start: SessionStart, disk: SessionDisk, ground: LiveGround | TimeBase) {
    this.number = number;
    this.start = start;
    this.#disk = disk;
    const live = 'ring' in ground ? ground : undefined;
    this.#ring = live?.ring;
    this.base = 'ring' in ground ? ground.ring.base : ground;
    this.channels = live?.ring.channels ?? new ChannelTable();
    this.notes = new SessionNotes(live?.facts);
    if (live === undefined) this.#neededFrom = Number.POSITIVE_INFINITY;
  }

  /** A session that a former boot left. */
  static found(number: number, { session, attributes, baseNs }: SessionFacts, disk: SessionDisk): StoredSession {
    return new StoredSession(number, { session, attributes, channels: [] }, disk, timeBaseOf(baseNs));
  }

  get facts(): SessionFacts {
    const { session, attributes } = this.start;
    return { session, attributes, baseNs: this.base.ns };
  }
  get isStoring(): boolean {
    return this.#disk.isStoring();
  }

  /** Latched messages in force now, for the head of a segment. */
  latched(): readonly ContextRecord[] {
    return this.#ring?.latched.before(Number.POSITIVE_INFINITY, { ratesHzMax: new Map() }) ?? [];
  }

  nextBlockNumber(): number {
    this.#blocksSeen += 1;
    return this.#blocksSeen;
  }

  add(block: RecordBlock): void {
    this.#isSealWanted = false;
    this.notes.take(block, this.base);
    this.#disk.add(this, block);
  }

  /** A trigger's claim goes to disk, and with it what was captured up to the trigger. */
  claim(campaign: Campaign, claim: WindowClaim): void {
    const { id, priority, topics, decimation, brief, uploadWithinMs } = campaign;
    const { timeNs, startNs, endNs, eventNsMax } = claim;
    this.#disk.journal.append({
      kind: 'claim',
      session: this.start.session,
      campaign: { id, priority, topics, decimation, brief, uploadWithinMs },
      timeNs,
      startNs,
      endNs,
      eventNsMax,
    });
    // A campaign that fires at every sample must not make a block of each: while one is being written the next one fills.
    this.#isSealWanted = true;
    if (this.#disk.isIdle()) this.sealIfWanted();
  }

  sealIfWanted(): void {
    if (this.#isSealWanted) this.#ring?.seal();
    this.#isSealWanted = false;
  }

  /** An interval is recorded for good: its claims are kept. */
  recorded({ startNs, endNs }: Pick<EventWindow, 'startNs' | 'endNs'>): void {
    this.#disk.journal.append({ kind: 'recorded', session: this.start.session, startNs, endNs });
  }

  end(lastNs: bigint): void {
    this.#disk.journal.append({ kind: 'ended', session: this.start.session, lastNs });
    this.#neededFrom = Number.POSITIVE_INFINITY;
    this.#claimedFrom = Number.POSITIVE_INFINITY;
  }

  keepFrom(neededFrom: number, claimedFrom: number): void {
    this.#neededFrom = neededFrom;
    this.#claimedFrom = claimedFrom;
  }

  isNeeded(block: RecordBlock): boolean {
    return block.holders > 0 || block.latest >= this.#neededFrom;
  }

  isClaimed(block: RecordBlock): boolean {
    return block.holders > 0 || block.latest >= this.#claimedFrom;
  }

  /** The quota is used up by what is claimed. */
  tellFull(): void {
    this.#isFull = true;
  }

  /** Whether the quota has been used up since the last call. */
  takeIsFull(): boolean {
    const isFull = this.#isFull;
    this.#isFull = false;
    return isFull;
  }
}
