/** Keeps the claims of triggers on disk: what a trigger asked for survives a power cut, whatever had been captured of it by then. */
import type { AgentClock, Disk } from '../ports.ts';
import { type JournalLine, openLines, parseJournal, toJournalText } from './claim-lines.ts';
import { readExact, writeAll } from './segment-file.ts';

export const JOURNAL_NAME = 'claims.jsonl';
/** Largest journal that is read, bytes. */
export const JOURNAL_BYTES_MAX = 64 * 1024 * 1024;
/** Lines after which what is settled is thrown out, unless most of it is open. */
const LINES_MAX = 2_000;
const GROWTH = 2;

export type ClaimJournalOptions = {
  readonly disk: Disk;
  readonly root: string;
  readonly clock: AgentClock;
  /** Wait before a disk that refused is asked again, ms. */
  readonly retryMs: number;
  readonly onError: (error: unknown) => void;
};

/** What was in the file. */
export type FoundJournal = { readonly lines: readonly JournalLine[]; readonly damaged: number };

export class ClaimJournal {
  readonly #options: ClaimJournalOptions;
  #lines: readonly JournalLine[] = [];
  #waiting: JournalLine[] = [];
  #linesMax = LINES_MAX;
  #work: Promise<void> | undefined;
  #retryAtMs = 0;
  /** The last write may have left a part of a line. */
  #isTorn = false;

  constructor(options: ClaimJournalOptions) {
    this.#options = options;
  }

  /** Lines that are not on disk yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Reads the journal of the last boot. */
  static async read(disk: Disk, root: string): Promise<FoundJournal> {
    const path = `${root}/${JOURNAL_NAME}`;
    const sizeBytes = await disk.sizeOf(path);
    if (sizeBytes === undefined) return { lines: [], damaged: 0 };
    const file = await disk.open(path, 'read');
    try {
      const bytes = await readExact(file, 0, Math.min(sizeBytes, JOURNAL_BYTES_MAX));
      return parseJournal(new TextDecoder().decode(bytes));
    } finally {
      await file.close();
    }
  }

  /** Begins with these lines; the file is written anew, without what is settled. A disk that takes nothing keeps the longer file. */
  async begin(lines: readonly JournalLine[]): Promise<void> {
    this.#lines = openLines(lines);
    try {
      await this.#rewrite();
    } catch (error) {
      this.#isTorn = true;
      this.#options.onError(error);
    }
  }

  append(line: JournalLine): void {
    this.#waiting.push(line);
    this.wake();
  }

  /** Goes on with what waits, unless the disk refused a moment ago. */
  wake(): void {
    if (this.#waiting.length === 0 || this.#options.clock.monotonicMs() < this.#retryAtMs) return;
    this.#work ??= this.#write().finally(() => {
      this.#work = undefined;
    });
  }

  /** Resolves when all lines are on disk, or the disk refuses them. */
  async idle(): Promise<void> {
    await this.#work;
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const lines = this.#waiting.slice();
        await this.#append(lines);
        this.#waiting.splice(0, lines.length);
        this.#lines = [...this.#lines, ...lines];
        if (this.#lines.length <= this.#linesMax) continue;
        this.#lines = openLines(this.#lines);
        this.#linesMax = Math.max(LINES_MAX, this.#lines.length * GROWTH);
        await this.#rewrite();
      }
    } catch (error) {
      this.#isTorn = true;
      this.#retryAtMs = this.#options.clock.monotonicMs() + this.#options.retryMs;
      this.#options.onError(error);
    }
  }

  async #append(lines: readonly JournalLine[]): Promise<void> {
    const { disk, root } = this.#options;
    const file = await disk.open(`${root}/${JOURNAL_NAME}`, 'append');
    try {
      // A part of a line that a failed write left is closed by a line break: it costs itself alone.
      const text = `${this.#isTorn ? '\n' : ''}${lines.map(toJournalText).join('')}`;
      await writeAll(file, new TextEncoder().encode(text));
      await file.sync();
    } finally {
      await file.close();
    }
    this.#isTorn = false;
  }

  async #rewrite(): Promise<void> {
    const { disk, root } = this.#options;
    const path = `${root}/${JOURNAL_NAME}`;
    const file = await disk.open(`${path}.active`, 'create');
    try {
      await writeAll(file, new TextEncoder().encode(this.#lines.map(toJournalText).join('')));
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.rename(`${path}.active`, path);
    await disk.syncFolder(root);
    this.#isTorn = false;
  }
}
