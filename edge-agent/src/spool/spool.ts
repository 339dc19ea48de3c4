/** The disk queue between capture and cloud: each recording stays until it is verified, or leaves a line that says why it went. */
import { FleetError } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger, Disk } from '../ports.ts';
import { Ballast } from './ballast.ts';
import { type ActiveFile, DurableFiles, isDiskFull } from './durable-files.ts';
import type { DiskStateName } from './disk-state.ts';
import { IndexJournal } from './index-journal.ts';
import { headOf, isWanted } from './offered-recording.ts';
import { CountingSink, digestWritten } from './recording-digests.ts';
import {
  type Explanation,
  originOf,
  originOfLost,
  type Outcome,
  type SpoolableRecording,
  type SpoolEntry,
  type TombstoneEntry,
  tombstoneId,
  tombstonesAfter,
  tombstonesOf,
} from './spool-entry.ts';
import type { SpoolCounts } from './spool-index.ts';
import { QUARANTINE, recordingName, REFUSED } from './spool-layout.ts';
import { setFileAside } from './spool-recovery.ts';
import { type SpoolLimits, SpoolSpace } from './spool-space.ts';
import { SpoolStart } from './spool-start.ts';
import { Turns } from './turns.ts';

/** Recordings given up to write one more on a disk that is full. */
const EVICTIONS_PER_WRITE_MAX = 8;
const REASON_LENGTH_MAX = 2_000;
/** Names what is lost of an event of which a shorter recording stays. */
const REST_SUFFIX = '-rest';
/** Changes of the index wait for each other under this name; recordings under their event's id. */
const INDEX_TURN = ' index';

export type SpoolOptions = {
  readonly disk: Disk;
  /** Folder of the spool, absolute. */
  readonly root: string;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  readonly limits: SpoolLimits;
};

/**
 * `replaced`: a longer recording of an event that is not settled took the place of the shorter one. `known`: it is here, or has
 * been here. `evicted`: there is no room; it has left a tombstone, and the shorter recording of its event stays, if there is one.
 */
export type SpoolAddition = 'spooled' | 'replaced' | 'known' | 'evicted';

export class Spool {
  readonly #options: SpoolOptions;
  readonly #files: DurableFiles;
  readonly #journal: IndexJournal;
  readonly #space: SpoolSpace;
  readonly #start: SpoolStart;
  readonly #turns = new Turns();
  readonly #listeners: (() => void)[] = [];
  #opened: Promise<void> = Promise.resolve();
  #isOpen = false;

  private constructor(options: SpoolOptions, files: DurableFiles, ballast: Ballast, journal: IndexJournal) {
    this.#options = options;
    this.#files = files;
    this.#journal = journal;
    const { clock, logger, limits } = options;
    this.#space = new SpoolSpace({ files, ballast, index: journal.index, clock, logger, limits });
    const exclusively = async (work: () => Promise<void>): Promise<void> => this.#exclusively(work);
    this.#start = new SpoolStart({ files, journal, space: this.#space, clock, logger, exclusively });
  }

  /**
   * Opens the folder. Recordings that the index knows are there at once; unknown ones are adopted afterwards.
   * @throws FleetError SPOOL_CORRUPT, RECORD_WRITE
   */
  static async open(options: SpoolOptions): Promise<Spool> {
    const spool = Spool.begin(options);
    await spool.opened;
    return spool;
  }

  /** Begins to open it: until `opened` it looks empty, and whatever would change it waits. */
  static begin(options: SpoolOptions): Spool {
    const files = new DurableFiles(options.disk, options.root);
    const ballast = new Ballast(files, options.logger);
    const spool = new Spool(options, files, ballast, new IndexJournal(files, ballast, options.logger));
    spool.#opened = spool.#read();
    // Whoever needs the spool learns of the failure; nobody may need it before the process ends.
    spool.#opened.catch(() => undefined);
    return spool;
  }

  async #read(): Promise<void> {
    await this.#journal.read();
    await this.#start.reconcile();
    await this.#space.measure();
    this.#isOpen = true;
    this.#options.logger.info({ ...this.counts(), ...this.diskState(), adopting: this.#start.waiting }, 'spool.opened');
    this.#start.adoptAll(async (id, adopt) =>
      this.#turns.take(id, async () => {
        await adopt();
        this.#changed();
      }),
    );
    this.#changed();
  }

  /** Resolves when the index is read. @throws FleetError SPOOL_CORRUPT, RECORD_WRITE */
  get opened(): Promise<void> {
    return this.#opened;
  }

  /** Whether the index is read. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves when each recording that was found at the start is adopted or set aside. */
  get recovered(): Promise<void> {
    return this.#opened.then(async () => this.#start.recovered);
  }

  /** Stops adopting; what is left is adopted at the next start. Resolves when nothing is being written any more. */
  async close(): Promise<void> {
    this.#start.stop();
    // A spool that could not be opened writes nothing.
    const isOpened = await this.#opened.then(
      () => true,
      () => false,
    );
    if (!isOpened) return;
    await this.#start.recovered;
    await this.#exclusively(async () => {});
  }

  /** What waits, settled or not, in the order of capture; the same array until something changes. */
  entries(): readonly SpoolEntry[] {
    return this.#journal.index.entries();
  }

  entry(eventId: string): SpoolEntry | undefined {
    return this.#journal.index.entry(eventId);
  }

  /** Whether the event is here or has been here: it must not be captured a second time. */
  knows(eventId: string): boolean {
    const { index } = this.#journal;
    return index.entry(eventId) !== undefined || index.outcome(eventId) !== undefined;
  }

  /** What the cloud must still be told, oldest first. */
  tombstones(): readonly TombstoneEntry[] {
    return this.#journal.index.tombstones();
  }

  diskState(): { readonly state: DiskStateName; readonly freeBytes: number } {
    return { state: this.#space.state, freeBytes: this.#space.freeBytes };
  }

  counts(): SpoolCounts {
    return this.#journal.index.counts();
  }

  /** The event of a recording that is or was here, by its digest or the beginning of it. */
  eventOf(digest: string): string | undefined {
    return this.#journal.index.eventOf(digest);
  }

  /** What became of an event. */
  explain(eventId: string): Explanation {
    const { index } = this.#journal;
    const entry = index.entry(eventId);
    if (entry !== undefined) return { kind: 'queued', entry };
    const outcome = index.outcome(eventId);
    if (outcome !== undefined)
      return { kind: 'ended', outcome, isTold: !index.isWaitingToBeTold(tombstoneId(outcome)) };
    return { kind: !this.#isOpen || this.#start.isWaitingFor(eventId) ? 'adopting' : 'unknown' };
  }

  /** Called when a recording came, changed or went. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Puts an event on disk; when it resolves a power cut cannot take it any more.
   * @throws FleetError RECORD_WRITE when the disk takes nothing; nothing of the event is left then and it may be tried again
   */
  async add(recording: SpoolableRecording, { isSettled }: { readonly isSettled: boolean }): Promise<SpoolAddition> {
    await this.#opened;
    return this.#turns.take(recording.id, async () => {
      await this.#start.adopt(recording.id);
      if (!this.#isWanted(recording)) {
        if (isSettled) await this.#settle([recording.id]);
        return 'known';
      }
      if (!(await this.#isTaken(recording)))
        return this.#turnAway(recording, {
          code: 'SPOOL_FULL',
          reason: `the disk is ${this.#space.state}: ${this.#space.freeBytes} bytes are free`,
        });
      const generation = (this.entry(recording.id)?.generation ?? -1) + 1;
      try {
        const active = await this.#write(recording, generation);
        return await this.#exclusively(async () => this.#admit({ recording, generation, isSettled }, active));
      } catch (error) {
        if (!(error instanceof FleetError) || error.code !== 'INGEST_LIMIT') throw error;
        return this.#turnAway(recording, { code: error.code, reason: error.message });
      }
    });
  }

  /** It will not become longer any more: it may be uploaded. @throws FleetError RECORD_WRITE */
  async settle(eventId: string): Promise<void> {
    await this.#adoptNow(eventId);
    await this.#settle([eventId]);
  }

  /**
   * Settles all that an earlier run of the agent left open, for when the recorder has given out all it could recover of it. What
   * is found at the start is adopted first; the signal stops that. @throws FleetError RECORD_WRITE
   */
  async settleResumed(signal?: AbortSignal): Promise<void> {
    signal?.addEventListener('abort', () => this.#start.stop(), { once: true });
    await this.recovered;
    if (this.#start.isStopped) return;
    const resumed = this.entries().filter((entry) => entry.isResumed);
    for (const entry of resumed) {
      const into = entry.isSettled ? undefined : this.#journal.index.holderOf(entry);
      if (into !== undefined) await this.#end(entry.eventId, { outcome: 'withdrawn', into });
    }
    await this.#settle(resumed.map((entry) => entry.eventId));
  }

  /** It became part of another event. When that is not here or has not been here, this one stays as it is. @throws FleetError RECORD_WRITE */
  async withdraw(eventId: string, into: string): Promise<void> {
    for (const id of [eventId, into]) await this.#adoptNow(id);
    if (!this.knows(into)) {
      this.#options.logger.warn({ eventId, into }, 'spool.recording.kept');
      await this.#settle([eventId]);
      return;
    }
    await this.#end(eventId, { outcome: 'withdrawn', into });
  }

  /** A relay has it: second receipt. @throws FleetError RECORD_WRITE */
  async stored(eventId: string, relay: string): Promise<void> {
    await this.#exclusively(async () => {
      if (this.entry(eventId) === undefined) return;
      await this.#journal.append({ kind: 'stored', id: eventId, relay });
    });
    this.#changed();
  }

  /** The control plane has it for good: the local copy may go. @throws FleetError RECORD_WRITE */
  async verified(eventId: string, ledgerSequence: bigint): Promise<void> {
    await this.#end(eventId, { outcome: 'verified', ledgerSequence: ledgerSequence.toString() });
  }

  /** The control plane will never take it: it is kept aside with the reason. @throws FleetError RECORD_WRITE */
  async refused(eventId: string, code: string, reason: string): Promise<void> {
    await this.#end(eventId, { outcome: 'refused', code, reason: reason.slice(0, REASON_LENGTH_MAX) });
  }

  /** The file is not what it was: it is kept aside with the reason, and the cloud is told. @throws FleetError RECORD_WRITE */
  async quarantine(eventId: string, code: string, reason: string): Promise<void> {
    await this.#end(eventId, { outcome: 'quarantined', code, reason: reason.slice(0, REASON_LENGTH_MAX) });
  }

  /** Nobody wants it any more, as when a pull is cancelled: it goes, and the cloud is told. @throws FleetError RECORD_WRITE */
  async giveUp(eventId: string, code: string, reason: string): Promise<void> {
    await this.#end(eventId, { outcome: 'evicted', code, reason: reason.slice(0, REASON_LENGTH_MAX) });
  }

  /** Nobody could write it: the cloud is told. @throws FleetError RECORD_WRITE */
  async unwritten(recording: SpoolableRecording, code: string, reason: string): Promise<void> {
    await this.#opened;
    await this.#turns.take(recording.id, async () => {
      await this.#start.adopt(recording.id);
      if (!this.#isWanted(recording)) return;
      await this.#turnAway(recording, { code, reason: reason.slice(0, REASON_LENGTH_MAX) });
    });
  }

  /** The cloud knows of the loss. @throws FleetError RECORD_WRITE */
  async tombstoneDelivered(id: string): Promise<void> {
    await this.#exclusively(async () => {
      if (this.#journal.index.isWaitingToBeTold(id)) await this.#journal.append({ kind: 'told', id });
    });
    this.#changed();
  }

  /** The bytes of one chunk. @throws FleetError SPOOL_CORRUPT when the file is shorter than it was */
  async readChunk(entry: SpoolEntry, index: number): Promise<Uint8Array> {
    const offset = index * entry.chunkSizeBytes;
    const length = Math.min(entry.chunkSizeBytes, entry.sizeBytes - offset);
    const bytes = await this.#files.readBytes(recordingName(entry.eventId, entry.generation), offset, length);
    if (bytes.length === length) return bytes;
    throw new FleetError(
      'SPOOL_CORRUPT',
      `recording ${entry.eventId} is shorter on disk than its ${entry.sizeBytes} bytes: the disk may be failing`,
    );
  }

  /** What was found at the start of an event must be known before something happens to it. */
  async #adoptNow(eventId: string): Promise<void> {
    await this.#opened;
    await this.#turns.take(eventId, async () => this.#start.adopt(eventId));
  }

  #isWanted(recording: SpoolableRecording): boolean {
    const { index } = this.#journal;
    return isWanted(recording, { entry: index.entry(recording.id), outcome: index.outcome(recording.id) });
  }

  /** Whether the disk takes it as it is, or after less important recordings have made room. */
  async #isTaken(recording: SpoolableRecording): Promise<boolean> {
    await this.#space.measure();
    if (this.#space.takes(recording.priority)) return true;
    await this.#exclusively(async () => {
      const plan = this.#space.planRelief(recording);
      if (plan.kind === 'refused') return;
      for (const eventId of plan.evict) await this.#evict(eventId, 'the disk is nearly full');
      await this.#space.measure();
    });
    return this.#space.takes(recording.priority);
  }

  /** Writes it under its active name. A full disk is a state: less important recordings make room, each with its tombstone. */
  async #write(recording: SpoolableRecording, generation: number): Promise<ActiveFile<number>> {
    for (let evictions = 0; ; evictions += 1) {
      try {
        const active = await this.#files.begin(recordingName(recording.id, generation), async (target) => {
          const sink = new CountingSink(target);
          await recording.write(sink);
          return sink.sizeBytes;
        });
        this.#space.written();
        return active;
      } catch (error) {
        // What cannot be made into a file says nothing of the disk.
        if (error instanceof FleetError && error.code !== 'RECORD_WRITE') throw error;
        const reason = FleetError.from(error).message;
        const hasRoom =
          isDiskFull(error) && evictions < EVICTIONS_PER_WRITE_MAX && (await this.#evictFirst(recording, reason));
        if (hasRoom) continue;
        this.#space.failed();
        throw FleetError.from(error, 'RECORD_WRITE');
      }
    }
  }

  /** Makes room for a written recording, gives it its name and indexes it; or throws its bytes away. */
  async #admit(
    { recording, generation, isSettled }: { recording: SpoolableRecording; generation: number; isSettled: boolean },
    active: ActiveFile<number>,
  ): Promise<SpoolAddition> {
    const { id } = recording;
    const before = this.entry(id);
    try {
      // It may have been settled, or evicted, while the longer one was written.
      if (!this.#isWanted(recording)) {
        await active.discard();
        return 'known';
      }
      const plan = this.#space.planFor(recording, active.result);
      if (plan.kind === 'refused') {
        await active.discard();
        const reason = 'the spool is full of recordings that matter more';
        return await this.#turnAwayNow(recording, { code: 'SPOOL_FULL', reason, sizeBytes: active.result });
      }
      for (const eventId of plan.evict) await this.#evict(eventId, 'the quota of the spool is reached');
    } catch (error) {
      await active.discard();
      throw error;
    }
    // Its name comes first: a start that finds no line for it reads the file, as is done here now.
    await active.commit();
    const { index } = this.#journal;
    const entry = {
      kind: 'entry',
      ...headOf(recording),
      ...(await digestWritten(this.#files, { name: recordingName(id, generation), sizeBytes: active.result })),
      capturedAtMs: before?.capturedAtMs ?? this.#options.clock.nowMs(),
      order: before?.order ?? index.nextOrder,
      generation,
      isSettled,
      ...(before === undefined ? tombstonesAfter(index.outcome(id)) : tombstonesOf(before)),
    } as const;
    // A start finds the file without its line, but not when an older line says that the event has ended.
    if (index.outcome(id) === undefined) await this.#journal.appendOrKeep(entry);
    else await this.#journal.append(entry);
    if (before !== undefined) await this.#removeFile(before);
    this.#changed();
    return before === undefined ? 'spooled' : 'replaced';
  }

  /** A recording that does not come in leaves a tombstone; when a shorter one of its event stays, under a name of its own. */
  async #turnAway(
    recording: SpoolableRecording,
    why: { readonly code: string; readonly reason: string },
  ): Promise<SpoolAddition> {
    return this.#exclusively(async () => this.#turnAwayNow(recording, { ...why, sizeBytes: 0 }));
  }

  async #turnAwayNow(
    recording: SpoolableRecording,
    { sizeBytes, ...why }: { readonly code: string; readonly reason: string; readonly sizeBytes: number },
  ): Promise<SpoolAddition> {
    const { id, priority } = recording;
    const isShorterKept = this.entry(id) !== undefined;
    this.#options.logger.warn({ eventId: id, priority, isShorterKept, ...why }, 'spool.recording.evicted');
    const lost = isShorterKept ? `${id}${REST_SUFFIX}` : id;
    const origin = {
      ...originOfLost(recording, lost),
      sizeBytes,
      ...tombstonesAfter(this.#journal.index.outcome(lost)),
    };
    await this.#append({ ...origin, outcome: 'evicted', ...why });
    this.#changed();
    return 'evicted';
  }

  async #evictFirst(recording: SpoolableRecording, reason: string): Promise<boolean> {
    return this.#exclusively(async () => {
      const eventId = this.#space.firstToGo(recording);
      if (eventId !== undefined) await this.#evict(eventId, `the disk takes no more: ${reason}`);
      return eventId !== undefined;
    });
  }

  /** The tombstone is on disk before the file goes. */
  async #evict(eventId: string, reason: string): Promise<void> {
    const entry = this.entry(eventId);
    if (entry === undefined) {
      // A refused recording has its outcome already; only the copy goes.
      await this.#files.remove(`${REFUSED}/${eventId}.mcap`);
      this.#space.removeRefused(eventId);
      return;
    }
    const why = { code: 'SPOOL_FULL', reason: reason.slice(0, REASON_LENGTH_MAX) };
    await this.#append({ ...originOf(entry), outcome: 'evicted', ...why });
    this.#options.logger.warn({ eventId, priority: entry.priority, ...why }, 'spool.recording.evicted');
    await this.#removeFile(entry);
    this.#changed();
  }

  async #settle(ids: readonly string[]): Promise<void> {
    await this.#exclusively(async () => {
      const open = ids.filter((id) => this.entry(id)?.isSettled === false);
      if (open.length > 0) await this.#journal.append({ kind: 'settled', ids: open });
      else if (this.#journal.isBehind) await this.#journal.append();
    });
    this.#changed();
  }

  /** Writes the end of a recording, then brings its file where it belongs. */
  async #end(eventId: string, why: Pick<Outcome, 'outcome'> & Partial<Outcome>): Promise<void> {
    await this.#exclusively(async () => {
      const entry = this.entry(eventId);
      if (entry === undefined) return;
      const outcome = await this.#append({ ...originOf(entry), ...why });
      const name = recordingName(eventId, entry.generation);
      if (why.outcome === 'refused') {
        await setFileAside(this.#files, name, { folder: REFUSED, outcome });
        this.#space.addRefused(entry);
      } else if (why.outcome === 'quarantined') {
        await setFileAside(this.#files, name, { folder: QUARANTINE, outcome });
      } else {
        await this.#removeFile(entry);
      }
    });
    this.#changed();
  }

  async #append(outcome: Omit<Outcome, 'atMs'>): Promise<Outcome> {
    const full: Outcome = { ...outcome, atMs: this.#options.clock.nowMs() };
    await this.#journal.append({ kind: 'outcome', ...full });
    return full;
  }

  /** What the index says is done; a file that stays because of it is found at the next start. */
  async #removeFile({ eventId, generation }: SpoolEntry): Promise<void> {
    await this.#files.remove(recordingName(eventId, generation)).catch((error: unknown) => {
      this.#options.logger.warn({ eventId, reason: FleetError.from(error).message }, 'spool.file.left');
    });
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    await this.#opened;
    return this.#turns.take(INDEX_TURN, work);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
