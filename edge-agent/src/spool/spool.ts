/** The disk queue between capture and cloud: each recording stays until it is verified, or leaves a line that says why it went. */
import { FleetError, type Priority } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger, SpoolFiles } from '../ports.ts';
import type { RecordedEvent } from '../record/event-recorder.ts';
import { digestRecording } from './chunk-digests.ts';
import { type EvictionCandidate, planEviction } from './eviction-plan.ts';
import { type Outcome, parseOutcomes, type SpoolEntry, toSidecarText } from './spool-entry.ts';
import { OUTCOMES, QUARANTINE, recordingName, REFUSED, sidecarName } from './spool-layout.ts';
import { recoverSpool } from './spool-recovery.ts';

/** Outcomes remembered; older ones are forgotten when the file is compacted at a start. */
export const OUTCOMES_MAX = 50_000;
/** Recordings given up to write one more on a disk that is full. */
const EVICTIONS_PER_WRITE_MAX = 8;

export type SpoolOptions = {
  readonly files: SpoolFiles;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  /** Most bytes of recordings on disk. */
  readonly quotaBytes: number;
};

export type SpoolAddition = 'spooled' | 'known' | 'evicted';
export type SpoolCounts = {
  readonly spooled: number;
  readonly spooledBytes: number;
  readonly verified: number;
  readonly refused: number;
  readonly evicted: number;
};

export class Spool {
  readonly #options: SpoolOptions;
  readonly #entries = new Map<string, SpoolEntry>();
  readonly #outcomes: Map<string, Outcome>;
  /** Recordings that were refused and still lie on disk. */
  readonly #refused = new Map<string, EvictionCandidate>();
  readonly #listeners: (() => void)[] = [];
  #nextOrder = 0;

  private constructor(options: SpoolOptions, outcomes: readonly Outcome[]) {
    this.#options = options;
    this.#outcomes = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
  }

  /** Opens the folder and rebuilds the index from it. @throws FleetError SPOOL_CORRUPT, RECORD_WRITE */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { files, logger } = options;
    const outcomes = parseOutcomes((await files.readText(OUTCOMES)) ?? '');
    const kept = outcomes.slice(-OUTCOMES_MAX);
    // Always written anew: it also removes a line that a power cut left half written.
    if (outcomes.length > 0) await files.writeText(OUTCOMES, kept.map(toLine).join(''));
    const spool = new Spool(options, kept);
    const recovery = await recoverSpool({ files, logger, outcomes: spool.#outcomes });
    for (const entry of recovery.entries) spool.#entries.set(entry.eventId, entry);
    spool.#nextOrder = Math.max(-1, ...recovery.entries.map((entry) => entry.order)) + 1;
    await spool.#findRefused();
    const { discardedActive, adopted, quarantined } = recovery;
    logger.info(
      { recordings: recovery.entries.length, discardedActive, adopted, quarantined, ...spool.counts() },
      'spool.opened',
    );
    return spool;
  }

  /** What waits, in the order of capture. */
  entries(): readonly SpoolEntry[] {
    return [...this.#entries.values()];
  }

  entry(eventId: string): SpoolEntry | undefined {
    return this.#entries.get(eventId);
  }

  /** Whether the event is here or has been here: it must not be captured a second time. */
  knows(eventId: string): boolean {
    return this.#entries.has(eventId) || this.#outcomes.has(eventId);
  }

  counts(): SpoolCounts {
    const count = (outcome: Outcome['outcome']): number =>
      [...this.#outcomes.values()].filter((each) => each.outcome === outcome).length;
    const spooledBytes = this.entries().reduce((sum, entry) => sum + entry.sizeBytes, 0);
    const [verified, refused, evicted] = [count('verified'), count('refused'), count('evicted')];
    return { spooled: this.#entries.size, spooledBytes, verified, refused, evicted };
  }

  /** Called when a recording came or went. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Puts an event on disk; when it resolves a power cut cannot take it any more. One that is known is left alone. When there is
   * no room for it, it leaves a tombstone and the answer is `evicted`.
   * @throws FleetError RECORD_WRITE when the disk takes nothing
   */
  async add(event: RecordedEvent): Promise<SpoolAddition> {
    if (this.knows(event.id)) return 'known';
    const { files } = this.#options;
    const name = recordingName(event.id);
    const { sizeBytes } = await this.#write(name, event);
    const plan = planEviction(this.#candidates(), { priority: event.priority, sizeBytes }, this.#options.quotaBytes);
    if (plan.kind === 'refused') {
      await this.#tombstone(
        { eventId: event.id, priority: event.priority, sizeBytes, digest: null },
        'the spool is full of recordings of higher priority',
      );
      await files.remove(name);
      return 'evicted';
    }
    for (const eventId of plan.evict) await this.#evict(eventId, 'the quota of the spool is reached');
    const digests = await digestRecording(files, name, sizeBytes);
    const { id: eventId, priority, session } = event;
    const campaignIds = [...event.window.campaignIds];
    const entry: SpoolEntry = {
      version: 1,
      eventId,
      ...digests,
      priority,
      session,
      campaignIds,
      order: this.#nextOrder,
      isResumed: false,
    };
    this.#nextOrder += 1;
    await files.writeText(sidecarName(eventId), toSidecarText(entry));
    this.#entries.set(eventId, entry);
    this.#changed();
    return 'spooled';
  }

  /** The bytes of one chunk. @throws FleetError SPOOL_CORRUPT when the file is shorter than it was */
  async readChunk(entry: SpoolEntry, index: number): Promise<Uint8Array> {
    const offset = index * entry.chunkSizeBytes;
    const length = Math.min(entry.chunkSizeBytes, entry.sizeBytes - offset);
    const bytes = await this.#options.files.readBytes(recordingName(entry.eventId), offset, length);
    if (bytes.length === length) return bytes;
    throw new FleetError(
      'SPOOL_CORRUPT',
      `recording ${entry.eventId} is shorter on disk than its ${entry.sizeBytes} bytes: the disk may be failing`,
    );
  }

  /** The control plane has it for good: the local copy may go. */
  async verified(eventId: string, ledgerSequence: bigint): Promise<void> {
    const entry = this.#entries.get(eventId);
    if (entry === undefined) return;
    await this.#append({ ...outcomeOf(entry), outcome: 'verified', ledgerSequence: ledgerSequence.toString() });
    await this.#removeFiles(eventId);
  }

  /** The control plane will never take it: it is kept aside with the reason. */
  async refused(eventId: string, code: string, reason: string): Promise<void> {
    await this.#setAside(eventId, REFUSED, { outcome: 'refused', code, reason });
  }

  /** The file is not what it was: it is kept aside with the reason. */
  async quarantine(eventId: string, code: string, reason: string): Promise<void> {
    await this.#setAside(eventId, QUARANTINE, { outcome: 'quarantined', code, reason });
  }

  async #setAside(
    eventId: string,
    folder: string,
    why: { outcome: 'refused' | 'quarantined'; code: string; reason: string },
  ): Promise<void> {
    const entry = this.#entries.get(eventId);
    if (entry === undefined) return;
    const { files } = this.#options;
    await this.#append({ ...outcomeOf(entry), ...why, reason: why.reason.slice(0, 2_000) });
    await files.writeText(`${folder}/${eventId}.reason.txt`, `${why.code}: ${why.reason}\n`);
    await files.move(recordingName(eventId), `${folder}/${eventId}.mcap`);
    await files.move(sidecarName(eventId), `${folder}/${eventId}.json`);
    this.#entries.delete(eventId);
    if (why.outcome === 'refused') this.#refused.set(eventId, { ...entry, state: 'refused' });
    this.#changed();
  }

  /** A disk that is full is a state: less important recordings make room, each with its tombstone. */
  async #write(name: string, event: RecordedEvent): Promise<{ readonly sizeBytes: number }> {
    for (let evictions = 0; ; evictions += 1) {
      try {
        return await this.#options.files.writeRecording(name, event.metadata, event.messages);
      } catch (error) {
        const plan = planEviction(
          this.#candidates(),
          { priority: event.priority, sizeBytes: 1 },
          Math.max(0, this.#usedBytes() - 1),
        );
        const [first] = plan.kind === 'fits' ? plan.evict : [];
        if (first === undefined || evictions >= EVICTIONS_PER_WRITE_MAX) throw FleetError.from(error, 'RECORD_WRITE');
        await this.#evict(first, `the disk takes no more: ${FleetError.from(error).message}`);
      }
    }
  }

  #candidates(): EvictionCandidate[] {
    const queued = this.entries().map((entry): EvictionCandidate => ({ ...entry, state: 'queued' }));
    return [...this.#refused.values(), ...queued];
  }

  #usedBytes(): number {
    return this.#candidates().reduce((sum, candidate) => sum + candidate.sizeBytes, 0);
  }

  async #evict(eventId: string, reason: string): Promise<void> {
    const entry = this.#entries.get(eventId);
    if (entry !== undefined) {
      await this.#tombstone(entry, reason);
      await this.#removeFiles(eventId);
      return;
    }
    // A refused recording has its outcome already; only the copy goes.
    this.#refused.delete(eventId);
    await this.#options.files.remove(`${REFUSED}/${eventId}.mcap`);
  }

  async #tombstone(entry: Tombstoned, reason: string): Promise<void> {
    await this.#append({ ...outcomeOf(entry), outcome: 'evicted', reason: reason.slice(0, 2_000) });
    this.#options.logger.warn({ eventId: entry.eventId, priority: entry.priority, reason }, 'spool.recording.evicted');
  }

  async #append(outcome: Omit<Outcome, 'atMs'>): Promise<void> {
    const full: Outcome = { ...outcome, atMs: this.#options.clock.nowMs() };
    await this.#options.files.appendLine(OUTCOMES, JSON.stringify(full));
    this.#outcomes.set(full.id, full);
  }

  async #removeFiles(eventId: string): Promise<void> {
    this.#entries.delete(eventId);
    await this.#options.files.remove(recordingName(eventId));
    await this.#options.files.remove(sidecarName(eventId));
    this.#changed();
  }

  async #findRefused(): Promise<void> {
    for (const { name, sizeBytes } of await this.#options.files.list(REFUSED)) {
      const eventId = name.slice(`${REFUSED}/`.length, -'.mcap'.length);
      const outcome = name.endsWith('.mcap') ? this.#outcomes.get(eventId) : undefined;
      if (outcome === undefined) continue;
      this.#refused.set(eventId, { eventId, priority: outcome.priority, sizeBytes, order: 0, state: 'refused' });
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

type Tombstoned = {
  readonly eventId: string;
  readonly priority: Priority;
  readonly sizeBytes: number;
  readonly digest: string | null;
};

function outcomeOf(entry: Tombstoned): Pick<Outcome, 'id' | 'digest' | 'sizeBytes' | 'priority'> {
  return { id: entry.eventId, digest: entry.digest, sizeBytes: entry.sizeBytes, priority: entry.priority };
}

const toLine = (outcome: Outcome): string => `${JSON.stringify(outcome)}\n`;
