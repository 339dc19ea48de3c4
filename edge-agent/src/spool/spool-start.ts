/** The start of the spool: what must be put right at once, and what is read in the background while the vehicle captures already. */
import { FleetError } from '@fleetloop/schemas';
import type { AgentClock, AgentLogger } from '../ports.ts';
import { type AdoptedRecording, readForAdoption } from './adoption.ts';
import type { DurableFiles } from './durable-files.ts';
import type { IndexJournal } from './index-journal.ts';
import { type Origin, originOf, type SpoolEntry, tombstonesOf } from './spool-entry.ts';
import { QUARANTINE, QUEUE, recordingName, REFUSED } from './spool-layout.ts';
import {
  type AdoptionCase,
  finishFile,
  planRecovery,
  removeActive,
  setFileAside,
  type Unadopted,
} from './spool-recovery.ts';
import type { SpoolSpace } from './spool-space.ts';

type StartOptions = {
  readonly files: DurableFiles;
  readonly journal: IndexJournal;
  readonly space: SpoolSpace;
  readonly clock: AgentClock;
  readonly logger: AgentLogger;
  /** Runs what changes the index when nobody else does. */
  readonly exclusively: (work: () => Promise<void>) => Promise<void>;
};

/** Runs one adoption when nothing else happens to its event. */
export type InTurn = (eventId: string, adopt: () => Promise<void>) => Promise<void>;

type Reading = { readonly file: Unadopted; readonly result: AdoptedRecording | FleetError };

export class SpoolStart {
  readonly #options: StartOptions;
  #cases = new Map<string, AdoptionCase>();
  readonly #stopped = new AbortController();
  #recovered: Promise<void> = Promise.resolve();

  constructor(options: StartOptions) {
    this.#options = options;
  }

  /** Events whose files are still to be read. */
  get waiting(): number {
    return this.#cases.size;
  }

  get recovered(): Promise<void> {
    return this.#recovered;
  }

  get isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  isWaitingFor(eventId: string): boolean {
    return this.#cases.has(eventId);
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Makes folder and index agree by names and sizes alone. @throws FleetError SPOOL_CORRUPT */
  async reconcile(): Promise<void> {
    const { files, journal, space, logger } = this.#options;
    const plan = planRecovery(await files.list(QUEUE), journal.index);
    for (const name of plan.remove) await this.#try(name, async () => files.remove(name));
    for (const folder of [REFUSED, QUARANTINE]) await this.#try(folder, async () => removeActive(files, folder));
    for (const { file, outcome } of plan.finish)
      await this.#try(file.name, async () => finishFile(files, file, outcome));
    for (const name of plan.setAside)
      await this.#try(name, async () => this.#setAside(name, 'nothing of the spool has such a name'));
    for (const entry of plan.missing) {
      await this.#try(entry.eventId, async () => this.#lose(originOf(entry), 'its file is gone'));
      journal.index.drop(entry.eventId);
    }
    this.#cases = new Map(plan.adopt);
    // The index speaks of a file that is not there; what is there must be read before it counts.
    for (const { lost } of plan.adopt.values()) if (lost !== undefined) journal.index.drop(lost.eventId);
    for (const { name, sizeBytes } of await files.list(REFUSED)) {
      const eventId = name.slice(`${REFUSED}/`.length, -'.mcap'.length);
      const outcome = name.endsWith('.mcap') ? journal.index.outcome(eventId) : undefined;
      if (outcome !== undefined) space.addRefused({ eventId, priority: outcome.priority, sizeBytes });
    }
    const { remove, setAside, finish, missing } = plan;
    const found = { removed: remove.length, setAside: setAside.length, finished: finish.length, gone: missing.length };
    if (Object.values(found).some((count) => count > 0)) logger.warn(found, 'spool.recovered');
  }

  /** Reads what is unknown, one event after the other. */
  adoptAll(inTurn: InTurn): void {
    const run = async (): Promise<void> => {
      const waiting = [...this.#cases.keys()];
      for (const eventId of waiting) {
        if (this.isStopped) return;
        await inTurn(eventId, async () => this.adopt(eventId)).catch((error: unknown) => {
          const { code, message } = FleetError.from(error);
          this.#options.logger.error({ eventId, code, message }, 'spool.recording.unadopted');
        });
      }
    };
    this.#recovered = run();
  }

  /** Reads what the start found of one event, if it still waits; the index is free while it reads. @throws FleetError RECORD_WRITE */
  async adopt(eventId: string): Promise<void> {
    const found = this.#cases.get(eventId);
    if (found === undefined) return;
    const readings: Reading[] = [];
    for (const file of found.files) {
      const result = await this.#read(eventId, file);
      if (this.isStopped) return;
      readings.push({ file, result });
      // Older files of the event are of no more use.
      if (!(result instanceof FleetError)) break;
    }
    await this.#options.exclusively(async () => this.#take(eventId, found, readings));
    this.#cases.delete(eventId);
  }

  /** A disk that takes nothing is no reason not to start: what is not done now is found again at the next start. */
  async #try(name: string, work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => {
      this.#options.logger.error({ name, reason: FleetError.from(error).message }, 'spool.recovery.failed');
    });
  }

  async #read(eventId: string, file: Unadopted): Promise<AdoptedRecording | FleetError> {
    try {
      const adopted = await readForAdoption(this.#options.files, file, this.#stopped.signal);
      if (adopted.eventId === eventId) return adopted;
      return new FleetError(
        'SPOOL_CORRUPT',
        `${file.name} holds the event ${adopted.eventId}, not the one of its name`,
      );
    } catch (error) {
      return FleetError.from(error);
    }
  }

  async #take(eventId: string, found: AdoptionCase, readings: readonly Reading[]): Promise<void> {
    const { files, journal } = this.#options;
    const { index } = journal;
    const outcome = index.outcome(eventId);
    const whole = readings.findLast(({ result }) => !(result instanceof FleetError));
    for (const { file, result } of readings)
      if (result instanceof FleetError) await this.#setAside(file.name, result.message);
    if (whole !== undefined && !(whole.result instanceof FleetError)) {
      // A shorter recording of the event may have come to its end while this one was read.
      if (outcome !== undefined) await finishFile(files, whole.file, outcome);
      else await this.#enter(whole.file, whole.result, found.lost);
      for (const { name } of found.files.slice(readings.length)) await files.remove(name);
      return;
    }
    if (index.entry(eventId) !== undefined || outcome !== undefined) return;
    if (found.lost !== undefined) await this.#lose(originOf(found.lost), 'its file is damaged');
    // With lines of the index damaged nobody can say that the file was not acknowledged.
    else if (journal.damagedLines > 0)
      await this.#lose(unknown(eventId), 'its file and its line in the index are damaged');
  }

  async #enter(file: Unadopted, adopted: AdoptedRecording, lost: SpoolEntry | undefined): Promise<void> {
    const { files, journal, clock, logger } = this.#options;
    const { eventId } = adopted;
    const shorter = journal.index.entry(eventId);
    const before = shorter ?? lost;
    const priority = adopted.priority ?? before?.priority ?? 'normal';
    await journal.append({
      kind: 'entry',
      ...adopted,
      priority,
      ...(before?.uploadWithinMs === undefined ? {} : { uploadWithinMs: before.uploadWithinMs }),
      capturedAtMs: before?.capturedAtMs ?? clock.nowMs(),
      order: before?.order ?? journal.index.nextOrder,
      generation: file.generation,
      isSettled: false,
      ...tombstonesOf(before),
    });
    journal.index.resume(eventId);
    if (shorter !== undefined) await files.remove(recordingName(eventId, shorter.generation));
    logger.warn({ eventId, priority, sizeBytes: adopted.sizeBytes }, 'spool.recording.adopted');
  }

  async #lose(lost: Origin, reason: string): Promise<void> {
    const { journal, clock, logger } = this.#options;
    const why = { outcome: 'quarantined', code: 'SPOOL_CORRUPT', reason, atMs: clock.nowMs() } as const;
    await journal.append({ kind: 'outcome', ...lost, ...why });
    logger.error({ eventId: lost.id, priority: lost.priority, reason }, 'spool.recording.lost');
  }

  async #setAside(name: string, reason: string): Promise<void> {
    const file = name.slice(`${QUEUE}/`.length);
    await setFileAside(this.#options.files, name, { folder: QUARANTINE, outcome: { id: eventOf(file), reason } });
    this.#options.logger.warn({ file: name, reason }, 'spool.file.quarantined');
  }
}

const eventOf = (file: string): string => file.slice(0, file.indexOf('.') === -1 ? undefined : file.indexOf('.'));

/** What can be said of an event of which only the name is left. */
function unknown(id: string): Origin {
  return { id, digest: null, sizeBytes: 0, priority: 'normal', session: '', campaignIds: [], startNs: 0n, endNs: 0n };
}
