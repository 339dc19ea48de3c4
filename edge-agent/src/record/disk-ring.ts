/**
 * The part of the ring that is on disk: sealed blocks of live sessions in segment files, and the journal of what triggers claimed. A
 * disk that refuses is a state, not an end: the ring lives in memory until the disk takes blocks again.
 */
import { FleetError } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger, Disk } from '../ports.ts';
import { ClaimJournal } from './claim-journal.ts';
import type { JournalLine } from './claim-lines.ts';
import type { SessionStart } from './event-metadata.ts';
import type { RecordBlock } from './record-block.ts';
import { findRing, type RingDamage } from './ring-scan.ts';
import { RingSegments } from './ring-segments.ts';
import { RingWriter, type WaitingBlock } from './ring-writer.ts';
import { type LiveGround, type SessionDisk, StoredSession } from './stored-session.ts';

export type DiskRingLimits = {
  /** Most bytes of segments. */
  readonly quotaBytes: number;
  /** Segments older than this go, unless something needs them, ms. */
  readonly ageMsMax: number;
  readonly segmentBytes: number;
  /** Wait before a disk that refused is asked again, ms. */
  readonly retryMs: number;
};

const LIMITS: DiskRingLimits = {
  quotaBytes: 256 * 1024 * 1024,
  ageMsMax: 3_600_000,
  segmentBytes: 4 * 1024 * 1024,
  retryMs: 2_000,
};
/** Blocks that one fsync covers. */
const BATCH_BLOCKS_MAX = 8;

export type DiskRingOptions = {
  readonly disk: Disk;
  /** Folder of the segments. */
  readonly root: string;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  readonly limits?: Partial<DiskRingLimits>;
};

export type DiskRingState = {
  readonly state: 'disk' | 'memory-only';
  readonly reason?: string;
  readonly segments: number;
  readonly sizeBytes: number;
  /** Blocks and claims that are not on disk yet. */
  readonly waitingBlocks: number;
  readonly waitingClaims: number;
};

export class DiskRing {
  readonly #options: DiskRingOptions;
  readonly #limits: DiskRingLimits;
  readonly #journal: ClaimJournal;
  readonly #sessions: StoredSession[] = [];
  readonly #segments: RingSegments;
  readonly #writer: RingWriter;
  readonly #port: SessionDisk;
  /** Claims of former boots that are not recorded. */
  #open: readonly JournalLine[] = [];
  #damages: readonly RingDamage[] = [];
  #nextSession = 1;
  #current: StoredSession | undefined;
  #waiting: WaitingBlock[] = [];
  #work: Promise<void> | undefined;
  #trouble: { readonly reason: string; readonly retryAtMs: number } | undefined;

  private constructor(options: DiskRingOptions) {
    const { disk, root, clock, logger } = options;
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    const onError = (error: unknown): void =>
      logger.error({ reason: FleetError.from(error).message }, 'record.claims.unwritten');
    this.#journal = new ClaimJournal({ disk, root, clock, retryMs: this.#limits.retryMs, onError });
    const { quotaBytes, ageMsMax, segmentBytes } = this.#limits;
    this.#segments = new RingSegments({ disk, clock, quotaBytes, ageMsMax, onFreed: () => this.#forgetEmpty() });
    this.#writer = new RingWriter({ disk, root, clock, segments: this.#segments, segmentBytes });
    this.#port = {
      journal: this.#journal,
      isStoring: () => this.#trouble === undefined,
      isIdle: () => this.#work === undefined,
      add: (session, block) => this.#add(session, block),
    };
  }

  /** Opens the folder and finds what former boots left. Unknown files are set aside. @throws the disk's own errors */
  static async open(options: DiskRingOptions): Promise<DiskRing> {
    const { disk, root, logger } = options;
    await disk.makeFolder(root);
    const ring = new DiskRing(options);
    const found = await findRing(disk, root, ring.#port);
    ring.#sessions.push(...found.sessions);
    for (const segment of found.segments) ring.#segments.take(segment);
    ring.#writer.startBehind(found.lastSegment);
    ring.#nextSession = Math.max(0, ...found.sessions.map((session) => session.number)) + 1;
    ring.#open = found.lines;
    ring.#damages = found.damages;
    for (const damage of found.damages) logger.warn(damage, 'record.ring.damaged');
    await ring.#journal.begin(found.lines);
    logger.info({ ...ring.state(), sessions: found.sessions.length }, 'record.ring.opened');
    return ring;
  }

  /** Sessions of which blocks are on disk, oldest first. */
  sessions(): readonly StoredSession[] {
    return this.#sessions;
  }
  /** Lines of the journal that former boots left open. */
  openClaims(): readonly JournalLine[] {
    return this.#open;
  }
  /** What was damaged when the ring was opened. */
  damages(): readonly RingDamage[] {
    return this.#damages;
  }
  get logger(): AgentLogger {
    return this.#options.logger;
  }

  state(): DiskRingState {
    return {
      state: this.#trouble === undefined ? 'disk' : 'memory-only',
      ...(this.#trouble === undefined ? {} : { reason: this.#trouble.reason }),
      segments: this.#segments.count,
      sizeBytes: this.#segments.sizeBytes,
      waitingBlocks: this.#waiting.length,
      waitingClaims: this.#journal.waiting,
    };
  }

  beginSession(start: SessionStart, live: LiveGround): StoredSession {
    const session = new StoredSession(this.#nextSession, start, this.#port, live);
    this.#nextSession += 1;
    this.#sessions.push(session);
    this.#current = session;
    return session;
  }

  /** An event of a former boot is recorded. */
  recordedBefore(session: string, { startNs, endNs }: { readonly startNs: bigint; readonly endNs: bigint }): void {
    this.#journal.append({ kind: 'recorded', session, startNs, endNs });
  }

  /** Resolves when all blocks and claims so far are on disk. @throws FleetError RECORD_WRITE when the disk does not take them */
  async flush(): Promise<void> {
    this.#wake();
    this.#journal.wake();
    while (this.#work !== undefined) await this.#work;
    await this.#journal.idle();
    if (this.#waiting.length === 0 && this.#journal.waiting === 0) return;
    throw new FleetError(
      'RECORD_WRITE',
      `${this.#waiting.length} blocks of the ring and ${this.#journal.waiting} claims are not on disk: ${this.#trouble?.reason ?? 'the disk refused'}`,
    );
  }

  /** Ends the open segment. */
  async close(): Promise<void> {
    while (this.#work !== undefined) await this.#work;
    await this.#journal.idle();
    await this.#writer.end();
  }

  #add(session: StoredSession, block: RecordBlock): void {
    this.#waiting.push({ session, block, number: session.nextBlockNumber() });
    this.#wake();
    this.#journal.wake();
  }

  #wake(): void {
    const trouble = this.#trouble;
    if (trouble !== undefined) {
      this.#waiting = this.#waiting.filter(({ block }) => !block.isDropped);
      if (this.#options.clock.monotonicMs() < trouble.retryAtMs) return;
    }
    this.#work ??= this.#drain().finally(() => {
      this.#work = undefined;
    });
  }

  async #drain(): Promise<void> {
    try {
      do {
        await this.#free();
        const batch = this.#waiting.filter(({ block }) => !block.isDropped).slice(0, BATCH_BLOCKS_MAX);
        await this.#writer.store(batch);
        const stored = new Set(batch);
        this.#waiting = this.#waiting.filter((each) => !stored.has(each) && !each.block.isDropped);
        if (this.#waiting.length === 0) this.#current?.sealIfWanted();
      } while (this.#waiting.length > 0);
      await this.#free();
      if (this.#trouble !== undefined) this.#options.logger.info({}, 'record.ring.on-disk');
      this.#trouble = undefined;
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** @throws FleetError SPOOL_FULL when what is claimed fills the quota */
  async #free(): Promise<void> {
    if (await this.#segments.free()) return;
    if (this.#trouble === undefined) this.#current?.tellFull();
    throw new FleetError('SPOOL_FULL', 'the quota of the ring is held by events that are open or not written');
  }

  /** Forgets sessions of which nothing is left. */
  #forgetEmpty(): void {
    const isEmpty = (session: StoredSession): boolean => session.blocks.length === 0 && session !== this.#current;
    for (const session of this.#sessions.filter(isEmpty)) this.#sessions.splice(this.#sessions.indexOf(session), 1);
  }

  /** What was written but not synced is written again later, into another file. */
  async #fail(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    const { clock, logger } = this.#options;
    if (this.#trouble === undefined) logger.error({ reason }, 'record.ring.memory-only');
    this.#trouble = { reason, retryAtMs: clock.monotonicMs() + this.#limits.retryMs };
    try {
      await this.#writer.end();
      // A full disk needs room for recordings more than for what nobody has asked for or may still ask for by a pre-window.
      if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') await this.#segments.freeUnneeded();
    } catch (cause) {
      logger.warn({ reason: FleetError.from(cause).message }, 'record.ring.close-failed');
    }
  }
}
