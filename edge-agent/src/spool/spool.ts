/** The disk queue between capture and cloud: each recording stays until it is verified, or leaves a line that says why it went. */
import type { AgentClock, AgentLogger, Disk } from '../ports.ts';
import { Ballast } from './ballast.ts';
import { DurableFiles } from './durable-files.ts';
import type { DiskStateName } from './disk-state.ts';
import { IndexJournal } from './index-journal.ts';
import { readRecordingChunk } from './recording-chunk.ts';
import { type EndReason, SpoolEnds } from './spool-ends.ts';
import {
  type Explanation,
  type SpoolableRecording,
  type SpoolEntry,
  type TombstoneEntry,
  tombstoneId,
} from './spool-entry.ts';
import type { SpoolCounts } from './spool-index.ts';
import { type SpoolAddition, SpoolIntake } from './spool-intake.ts';
import { type SpoolLimits, SpoolSpace } from './spool-space.ts';
import { SpoolStart } from './spool-start.ts';
import { Turns } from './turns.ts';

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

export class Spool {
  readonly #options: SpoolOptions;
  readonly #files: DurableFiles;
  readonly #journal: IndexJournal;
  readonly #space: SpoolSpace;
  readonly #start: SpoolStart;
  readonly #ends: SpoolEnds;
  readonly #intake: SpoolIntake;
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
    const exclusively = async <T>(work: () => Promise<T>): Promise<T> => this.#exclusively(work);
    const changed = (): void => this.#changed();
    const parts = { files, journal, space: this.#space, clock, logger, exclusively, changed };
    this.#start = new SpoolStart(parts);
    this.#ends = new SpoolEnds(parts);
    this.#intake = new SpoolIntake({ ...parts, ends: this.#ends });
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
      if (this.#intake.isWanted(recording)) return this.#intake.take(recording, isSettled);
      if (isSettled) await this.#settle([recording.id]);
      return 'known';
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
    await this.#end(eventId, { outcome: 'refused', code, reason });
  }

  /** The file is not what it was: it is kept aside with the reason, and the cloud is told. @throws FleetError RECORD_WRITE */
  async quarantine(eventId: string, code: string, reason: string): Promise<void> {
    await this.#end(eventId, { outcome: 'quarantined', code, reason });
  }

  /** Nobody wants it any more, as when a pull is cancelled: it goes, and the cloud is told. @throws FleetError RECORD_WRITE */
  async giveUp(eventId: string, code: string, reason: string): Promise<void> {
    await this.#end(eventId, { outcome: 'evicted', code, reason });
  }

  /** Nobody could write it: the cloud is told. @throws FleetError RECORD_WRITE */
  async unwritten(recording: SpoolableRecording, code: string, reason: string): Promise<void> {
    await this.#opened;
    await this.#turns.take(recording.id, async () => {
      await this.#start.adopt(recording.id);
      if (this.#intake.isWanted(recording)) await this.#intake.turnAway(recording, { code, reason });
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
    return readRecordingChunk(this.#files, entry, index);
  }

  /** What was found at the start of an event must be known before something happens to it. */
  async #adoptNow(eventId: string): Promise<void> {
    await this.#opened;
    await this.#turns.take(eventId, async () => this.#start.adopt(eventId));
  }

  async #settle(ids: readonly string[]): Promise<void> {
    await this.#exclusively(async () => {
      const open = ids.filter((id) => this.entry(id)?.isSettled === false);
      if (open.length > 0) await this.#journal.append({ kind: 'settled', ids: open });
      else if (this.#journal.isBehind) await this.#journal.append();
    });
    this.#changed();
  }

  async #end(eventId: string, why: EndReason): Promise<void> {
    await this.#exclusively(async () => this.#ends.end(eventId, why));
    this.#changed();
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    await this.#opened;
    return this.#turns.take(INDEX_TURN, work);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
