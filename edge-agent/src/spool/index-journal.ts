/** The index on disk: one file to which records are appended, written anew when most of it is history. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FleetError } from '@fleetloop/schemas';
import type { AgentLogger } from '../ports.ts';
import type { Ballast } from './ballast.ts';
import { type DurableFiles, isDiskFull } from './durable-files.ts';
import { decodeIndex, encodeRecord, type IndexRecord } from './index-record.ts';
import { SpoolIndex } from './spool-index.ts';
import { INDEX } from './spool-layout.ts';

/** Lines of history, beside as many as are alive, before the file is written anew. */
export const HISTORY_LINES_MAX = 4_096;
/** Records that could not be written and wait for the next append; with more the disk is not usable. */
const BACKLOG_MAX = 256;
/** Lines that are encoded between two turns of the loop. */
const LINES_PER_WRITE = 256;
/** Lines that are read between two turns of the loop: about 1 ms. */
const LINES_PER_TURN = 64;

export class IndexJournal {
  readonly #files: DurableFiles;
  readonly #logger: AgentLogger;
  readonly #ballast: Ballast;
  readonly index = new SpoolIndex();
  /** Lines of the file as it lies there. */
  #lines = 0;
  #backlog: IndexRecord[] = [];
  #damagedLines = 0;

  constructor(files: DurableFiles, ballast: Ballast, logger: AgentLogger) {
    this.#files = files;
    this.#ballast = ballast;
    this.#logger = logger;
  }

  /**
   * Reads what is there, once, before anything is appended; the vehicle captures meanwhile. A disk that takes nothing is no reason
   * not to start. @throws FleetError SPOOL_CORRUPT
   */
  async read(): Promise<void> {
    const bytes = await this.#files.readWhole(INDEX);
    for (const record of decodeIndex(bytes ?? new Uint8Array(0))) {
      if (record === undefined) this.#damagedLines += 1;
      else this.index.apply(record, true);
      this.#lines += 1;
      if (this.#lines % LINES_PER_TURN === 0) await nextTurn();
    }
    const [damagedLines, lines] = [this.#damagedLines, this.#lines];
    if (damagedLines > 0) this.#logger.warn({ damagedLines, lines }, 'spool.index.damaged');
    if (damagedLines > 0 || lines === 0) await this.#compactIfItCan();
    else await this.#compactWhenDue();
  }

  /** Lines that were not whole at the start. */
  get damagedLines(): number {
    return this.#damagedLines;
  }

  /** Whether records wait that the disk did not take. */
  get isBehind(): boolean {
    return this.#backlog.length > 0;
  }

  /** Writes records and applies them, what waits first; on disk when it resolves. @throws FleetError RECORD_WRITE, and then nothing is applied */
  async append(...records: readonly IndexRecord[]): Promise<void> {
    const lines = [...this.#backlog, ...records];
    if (lines.length > 0) await this.#write(lines);
    this.#backlog = [];
    for (const record of records) this.index.apply(record);
    const merge = this.index.mergeDue();
    if (merge !== undefined) await this.appendOrKeep(merge);
    await this.#compactWhenDue();
  }

  /**
   * The same for a record that can be rebuilt at a start: when the disk does not take it, it goes ahead of the next one.
   * @throws FleetError RECORD_WRITE when too many wait already
   */
  async appendOrKeep(record: IndexRecord): Promise<void> {
    try {
      await this.#write([...this.#backlog, record]);
      this.#backlog = [];
    } catch (error) {
      if (this.#backlog.length >= BACKLOG_MAX) throw error;
      this.#backlog.push(record);
      this.#logger.warn({ record: record.kind, reason: FleetError.from(error).message }, 'spool.index.behind');
    }
    this.index.apply(record);
  }

  async #write(records: readonly IndexRecord[]): Promise<void> {
    const lines = records.map(encodeRecord).join('\n');
    try {
      await this.#files.appendLine(INDEX, lines);
    } catch (error) {
      if (!isDiskFull(error) || !(await this.#ballast.drop())) throw error;
      await this.#files.appendLine(INDEX, lines);
    }
    this.#lines += records.length;
  }

  async #compactWhenDue(): Promise<void> {
    if (this.#lines > 2 * this.index.lines + HISTORY_LINES_MAX) await this.#compactIfItCan();
  }

  /** A disk that has no room for it keeps the longer file. */
  async #compactIfItCan(): Promise<void> {
    await this.#compact().catch((error: unknown) =>
      this.#logger.warn({ reason: FleetError.from(error).message }, 'spool.index.uncompacted'),
    );
  }

  async #compact(): Promise<void> {
    let lines: string[] = [];
    let count = 0;
    await this.#files.writeFile(INDEX, async (sink) => {
      const encoder = new TextEncoder();
      const flush = async (): Promise<void> => {
        await sink.write(encoder.encode(lines.join('')));
        lines = [];
      };
      for (const record of this.index.records()) {
        lines.push(`${encodeRecord(record)}\n`);
        count += 1;
        if (lines.length >= LINES_PER_WRITE) await flush();
      }
      await flush();
    });
    this.#lines = count;
    this.#backlog = [];
  }
}
