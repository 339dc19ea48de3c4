/**
 * The part of the ring that is on disk: sealed blocks of live sessions in segment files, and the journal of what triggers claimed. A
 * disk that refuses is a state, not an end: the ring lives in memory until the disk takes blocks again.
 */
import { FleetError } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger, Disk } from '../ports.ts';
import { ClaimJournal } from './claim-journal.ts';
import type { JournalLine } from './claim-lines.ts';
import type { SessionStart } from './event-metadata.ts';
import { timeAt } from './message-record.ts';
import type { PackedBlock } from './packed-block.ts';
import type { RecordBlock } from './record-block.ts';
import { findRing, type FoundSegment, type RingDamage } from './ring-scan.ts';
import { type FoundFrame, readBlock, readPackedBlock, SegmentWriter } from './segment-file.ts';
import { decodeFrameHeader, encodeFrame, FRAME_HEADER_BYTES } from './segment-frame.ts';
import { encodeChannels, encodeContext, encodeSession } from './segment-texts.ts';
import type { SessionRing } from './session-ring.ts';
import { type SessionDisk, StoredSession } from './stored-session.ts';

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
const ZERO = { rawBytes: 0, rawCrc: 0, messages: 0, block: 0, earliestNs: 0n, latestNs: 0n };

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

type Segment = {
  readonly path: string;
  readonly blocks: { readonly session: StoredSession; readonly block: RecordBlock }[];
  sizeBytes: number;
  writtenAtMs: number;
};
type Waiting = { readonly session: StoredSession; readonly block: RecordBlock; readonly number: number };
type OpenFile = { readonly segment: Segment; readonly writer: SegmentWriter; readonly channels: Map<number, number> };

export class DiskRing {
  readonly #options: DiskRingOptions;
  readonly #limits: DiskRingLimits;
  readonly #journal: ClaimJournal;
  readonly #sessions: StoredSession[] = [];
  readonly #segments: Segment[] = [];
  readonly #port: SessionDisk;
  /** Claims of former boots that are not recorded. */
  #open: readonly JournalLine[] = [];
  #damages: readonly RingDamage[] = [];
  #nextSegment = 1;
  #nextSession = 1;
  #current: StoredSession | undefined;
  #file: OpenFile | undefined;
  #waiting: Waiting[] = [];
  #work: Promise<void> | undefined;
  #trouble: { readonly reason: string; readonly retryAtMs: number } | undefined;

  private constructor(options: DiskRingOptions) {
    const { disk, root, clock, logger } = options;
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    const onError = (error: unknown): void =>
      logger.error({ reason: FleetError.from(error).message }, 'record.claims.unwritten');
    this.#journal = new ClaimJournal({ disk, root, clock, retryMs: this.#limits.retryMs, onError });
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
    ring.#segments.push(...found.segments.map((segment) => ring.#taken(segment)));
    ring.#nextSegment = found.lastSegment + 1;
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
      segments: this.#segments.length,
      sizeBytes: this.#sizeBytes(),
      waitingBlocks: this.#waiting.length,
      waitingClaims: this.#journal.waiting,
    };
  }

  beginSession(start: SessionStart, ring: SessionRing): StoredSession {
    const session = new StoredSession(this.#nextSession, start, this.#port, ring);
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
    await this.#closeFile();
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
        await this.#store(batch);
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

  async #store(batch: readonly Waiting[]): Promise<void> {
    const written: { readonly waiting: Waiting; readonly frame: FoundFrame; readonly segment: Segment }[] = [];
    for (const waiting of batch) {
      if (!waiting.block.isInMemory) continue;
      const packed = await waiting.block.pack();
      const { writer, segment } = await this.#fileFor(waiting.session);
      const frame = blockFrame(waiting, packed);
      const position = await writer.append(frame);
      const header = decodeFrameHeader(frame);
      if (header === undefined) throw new Error('a frame that was just made has no header');
      written.push({ waiting, frame: { header, position }, segment });
    }
    if (this.#file === undefined) return;
    await this.#file.writer.sync();
    for (const { waiting, frame, segment } of written) this.#isStored(waiting, frame, segment);
    if (this.#file.writer.sizeBytes >= this.#limits.segmentBytes) await this.#closeFile();
  }

  #isStored({ session, block }: Waiting, frame: FoundFrame, segment: Segment): void {
    const { disk } = this.#options;
    block.stored({
      read: async () => readBlock(disk, segment.path, frame),
      readPacked: async () => readPackedBlock(disk, segment.path, frame),
    });
    segment.blocks.push({ session, block });
    segment.sizeBytes = Math.max(segment.sizeBytes, frame.position + FRAME_HEADER_BYTES + frame.header.payloadBytes);
    segment.writtenAtMs = this.#options.clock.monotonicMs();
    session.blocks.push(block);
  }

  /** The open file, with the session and its channels told in it; all of a batch go into one file. */
  async #fileFor(session: StoredSession): Promise<OpenFile> {
    const { disk, root, clock } = this.#options;
    if (this.#file === undefined) {
      const path = `${root}/segment-${String(this.#nextSegment).padStart(8, '0')}.ring`;
      this.#nextSegment += 1;
      const segment: Segment = { path, blocks: [], sizeBytes: 0, writtenAtMs: clock.monotonicMs() };
      const writer = await SegmentWriter.create(disk, path);
      this.#segments.push(segment);
      this.#file = { segment, writer, channels: new Map() };
      await disk.syncFolder(root);
    }
    const { writer, channels } = this.#file;
    const header = { ...ZERO, isCompressed: false, session: session.number };
    const told = channels.get(session.number);
    if (told === undefined)
      await writer.append(encodeFrame({ ...header, kind: 'session' }, encodeSession(session.facts)));
    const all = session.channels.all();
    if ((told ?? 0) < all.length)
      await writer.append(
        encodeFrame({ ...header, kind: 'channels' }, encodeChannels(told ?? 0, all.slice(told ?? 0))),
      );
    const latched = told === undefined ? session.latched() : [];
    if (latched.length > 0) await writer.append(encodeFrame({ ...header, kind: 'context' }, encodeContext(latched)));
    channels.set(session.number, all.length);
    this.#file.segment.sizeBytes = writer.sizeBytes;
    return this.#file;
  }

  /** Frees what is old, and what is over the quota as far as nothing has claimed it. */
  async #free(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    const old = this.#closed().filter(
      (segment) =>
        nowMs - segment.writtenAtMs > this.#limits.ageMsMax &&
        !segment.blocks.some(({ session, block }) => session.isNeeded(block)),
    );
    for (const segment of old) await this.#remove(segment);
    while (this.#sizeBytes() > this.#limits.quotaBytes) if (!(await this.#freeOldest())) break;
    if (this.#sizeBytes() <= this.#limits.quotaBytes) return;
    if (this.#trouble === undefined) this.#current?.tellFull();
    throw new FleetError('SPOOL_FULL', 'the quota of the ring is held by events that are open or not written');
  }

  async #freeOldest(): Promise<boolean> {
    const free = this.#closed().find(
      (segment) => !segment.blocks.some(({ session, block }) => session.isClaimed(block)),
    );
    if (free === undefined) return false;
    await this.#remove(free);
    return true;
  }

  async #remove(segment: Segment): Promise<void> {
    for (const { session, block } of segment.blocks) {
      block.isDropped = true;
      const index = session.blocks.indexOf(block);
      if (index !== -1) session.blocks.splice(index, 1);
    }
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    const isEmpty = (session: StoredSession): boolean => session.blocks.length === 0 && session !== this.#current;
    for (const session of this.#sessions.filter(isEmpty)) this.#sessions.splice(this.#sessions.indexOf(session), 1);
    await this.#options.disk.remove(segment.path);
  }

  /** What was written but not synced is written again later, into another file. */
  async #fail(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    const { clock, logger } = this.#options;
    if (this.#trouble === undefined) logger.error({ reason }, 'record.ring.memory-only');
    this.#trouble = { reason, retryAtMs: clock.monotonicMs() + this.#limits.retryMs };
    try {
      await this.#closeFile();
      // A full disk needs room for recordings more than for what nobody has asked for.
      if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') await this.#freeOldest();
    } catch (cause) {
      logger.warn({ reason: FleetError.from(cause).message }, 'record.ring.close-failed');
    }
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.writer.close();
  }

  #closed(): readonly Segment[] {
    return this.#segments.filter((segment) => segment !== this.#file?.segment);
  }

  #sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  #taken({ path, sizeBytes, blocks }: FoundSegment): Segment {
    return { path, sizeBytes, blocks: [...blocks], writtenAtMs: this.#options.clock.monotonicMs() };
  }
}

function blockFrame({ session, block, number }: Waiting, packed: PackedBlock): Uint8Array {
  const { rawBytes, rawCrc } = packed;
  const header = {
    kind: 'block',
    isCompressed: packed.compression !== '',
    session: session.number,
    rawBytes,
    rawCrc,
    messages: block.messages,
    block: number,
    earliestNs: timeAt(session.base, block.earliest),
    latestNs: timeAt(session.base, block.latest),
  } as const;
  return encodeFrame(header, packed.bytes);
}
