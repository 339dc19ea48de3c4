/** How recordings come into the spool: room is made, the bytes get their place, and then their line. One at a time for each event. */
import { FleetError } from '@fleetloop/schemas';
import type { AgentClock } from '../ports.ts';
import { type ActiveFile, type DurableFiles, isDiskFull } from './durable-files.ts';
import type { IndexJournal } from './index-journal.ts';
import { headOf, isWanted } from './offered-recording.ts';
import { CountingSink, digestWritten } from './recording-digests.ts';
import type { SpoolEnds } from './spool-ends.ts';
import { type SpoolableRecording, type SpoolEntry, tombstonesAfter, tombstonesOf } from './spool-entry.ts';
import { recordingName } from './spool-layout.ts';
import type { SpoolSpace } from './spool-space.ts';

/** Recordings given up to write one more on a disk that is full. */
const EVICTIONS_PER_WRITE_MAX = 8;

/**
 * `replaced`: a longer recording of an event that is not settled took the place of the shorter one. `known`: it is here, or has
 * been here. `evicted`: there is no room; it has left a tombstone, and the shorter recording of its event stays, if there is one.
 */
export type SpoolAddition = 'spooled' | 'replaced' | 'known' | 'evicted';

export type SpoolIntakeOptions = {
  readonly files: DurableFiles;
  readonly journal: IndexJournal;
  readonly space: SpoolSpace;
  readonly ends: SpoolEnds;
  readonly clock: AgentClock;
  /** Runs what changes the index when nobody else does. */
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>;
  readonly changed: () => void;
};

type Written = { readonly recording: SpoolableRecording; readonly generation: number; readonly isSettled: boolean };

export class SpoolIntake {
  readonly #options: SpoolIntakeOptions;

  constructor(options: SpoolIntakeOptions) {
    this.#options = options;
  }

  isWanted(recording: SpoolableRecording): boolean {
    const { index } = this.#options.journal;
    return isWanted(recording, { entry: index.entry(recording.id), outcome: index.outcome(recording.id) });
  }

  /** Takes one that is wanted. @throws FleetError RECORD_WRITE when the disk takes nothing; nothing of it is left then */
  async take(recording: SpoolableRecording, isSettled: boolean): Promise<SpoolAddition> {
    const { space, journal, exclusively } = this.#options;
    if (!(await this.#isTaken(recording)))
      return this.turnAway(recording, {
        code: 'SPOOL_FULL',
        reason: `the disk is ${space.state}: ${space.freeBytes} bytes are free`,
      });
    const generation = (journal.index.entry(recording.id)?.generation ?? -1) + 1;
    try {
      const active = await this.#write(recording, generation);
      return await exclusively(async () => this.#admit({ recording, generation, isSettled }, active));
    } catch (error) {
      if (!(error instanceof FleetError) || error.code !== 'INGEST_LIMIT') throw error;
      return this.turnAway(recording, { code: error.code, reason: error.message });
    }
  }

  /** Leaves a tombstone for one that nobody has written. @throws FleetError RECORD_WRITE */
  async turnAway(
    recording: SpoolableRecording,
    why: { readonly code: string; readonly reason: string },
  ): Promise<'evicted'> {
    const { ends, exclusively, changed } = this.#options;
    await exclusively(async () => ends.turnAway(recording, { ...why, sizeBytes: 0 }));
    changed();
    return 'evicted';
  }

  /** Whether the disk takes it as it is, or after less important recordings have made room. */
  async #isTaken(recording: SpoolableRecording): Promise<boolean> {
    const { space, exclusively } = this.#options;
    await space.measure();
    if (space.takes(recording.priority)) return true;
    await exclusively(async () => {
      const plan = space.planRelief(recording);
      if (plan.kind === 'refused') return;
      for (const eventId of plan.evict) await this.#evict(eventId, 'the disk is nearly full');
      await space.measure();
    });
    return space.takes(recording.priority);
  }

  /** Writes it under its active name. A full disk is a state: less important recordings make room, each with its tombstone. */
  async #write(recording: SpoolableRecording, generation: number): Promise<ActiveFile<number>> {
    const { files, space } = this.#options;
    for (let evictions = 0; ; evictions += 1) {
      try {
        const active = await files.begin(recordingName(recording.id, generation), async (target) => {
          const sink = new CountingSink(target);
          await recording.write(sink);
          return sink.sizeBytes;
        });
        space.written();
        return active;
      } catch (error) {
        // What cannot be made into a file says nothing of the disk.
        if (error instanceof FleetError && error.code !== 'RECORD_WRITE') throw error;
        const reason = FleetError.from(error).message;
        const hasRoom =
          isDiskFull(error) && evictions < EVICTIONS_PER_WRITE_MAX && (await this.#evictFirst(recording, reason));
        if (hasRoom) continue;
        space.failed();
        throw FleetError.from(error, 'RECORD_WRITE');
      }
    }
  }

  /** Makes room for a written recording, gives it its name and indexes it; or throws its bytes away. */
  async #admit(written: Written, active: ActiveFile<number>): Promise<SpoolAddition> {
    const { space, ends, journal, changed } = this.#options;
    const { recording } = written;
    const before = journal.index.entry(recording.id);
    try {
      // It may have been settled, or evicted, while the longer one was written.
      if (!this.isWanted(recording)) {
        await active.discard();
        return 'known';
      }
      const plan = space.planFor(recording, active.result);
      if (plan.kind === 'refused') {
        await active.discard();
        const reason = 'the spool is full of recordings that matter more';
        await ends.turnAway(recording, { code: 'SPOOL_FULL', reason, sizeBytes: active.result });
        changed();
        return 'evicted';
      }
      for (const eventId of plan.evict) await this.#evict(eventId, 'the quota of the spool is reached');
    } catch (error) {
      await active.discard();
      throw error;
    }
    return this.#enter(written, active, before);
  }

  async #enter(
    { recording, generation, isSettled }: Written,
    active: ActiveFile<number>,
    before: SpoolEntry | undefined,
  ): Promise<SpoolAddition> {
    const { files, journal, ends, clock, changed } = this.#options;
    const { id } = recording;
    const { index } = journal;
    // Its name comes first: a start that finds no line for it reads the file, as is done here now.
    await active.commit();
    const entry = {
      kind: 'entry',
      ...headOf(recording),
      ...(await digestWritten(files, { name: recordingName(id, generation), sizeBytes: active.result })),
      capturedAtMs: before?.capturedAtMs ?? clock.nowMs(),
      order: before?.order ?? index.nextOrder,
      generation,
      isSettled,
      ...(before === undefined ? tombstonesAfter(index.outcome(id)) : tombstonesOf(before)),
    } as const;
    // A start finds the file without its line, but not when an older line says that the event has ended.
    if (index.outcome(id) === undefined) await journal.appendOrKeep(entry);
    else await journal.append(entry);
    if (before !== undefined) await ends.removeFile(before);
    changed();
    return before === undefined ? 'spooled' : 'replaced';
  }

  async #evictFirst(recording: SpoolableRecording, reason: string): Promise<boolean> {
    return this.#options.exclusively(async () => {
      const eventId = this.#options.space.firstToGo(recording);
      if (eventId !== undefined) await this.#evict(eventId, `the disk takes no more: ${reason}`);
      return eventId !== undefined;
    });
  }

  async #evict(eventId: string, reason: string): Promise<void> {
    await this.#options.ends.evict(eventId, reason);
    this.#options.changed();
  }
}
