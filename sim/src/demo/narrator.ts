/** What the person in front of the terminal sees: one line per step, with seconds, and progress while something takes long. */

const SLOW_MS = 2_000;
const REPEAT_MS = 5_000;

export class Narrator {
  readonly #startedMs = performance.now();
  readonly #timings = new Map<string, number>();
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  chapter(title: string): void {
    this.#write(`\n[${this.#clock()}] ${title}`);
  }

  readonly line = (text: string): void => {
    this.#write(`[${this.#clock()}]   ${text}`);
  };

  /** Runs a step, says so while it takes longer than two seconds, and keeps its seconds under `key`. */
  async step<T>(key: string, what: string, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const say = (): void => this.line(`… ${what} (${seconds(performance.now() - startedMs)})`);
    let repeat: NodeJS.Timeout | undefined;
    const first = setTimeout(() => {
      say();
      repeat = setInterval(say, REPEAT_MS);
    }, SLOW_MS);
    try {
      const result = await work();
      const elapsedMs = performance.now() - startedMs;
      this.#timings.set(key, Math.round(elapsedMs) / 1_000);
      this.line(`✓ ${what} (${seconds(elapsedMs)})`);
      return result;
    } finally {
      clearTimeout(first);
      clearInterval(repeat);
    }
  }

  /** Seconds per step, and the total so far. */
  timings(): Readonly<Record<string, number>> {
    return { ...Object.fromEntries(this.#timings), total: Math.round(performance.now() - this.#startedMs) / 1_000 };
  }

  #clock(): string {
    return seconds(performance.now() - this.#startedMs).padStart(7);
  }
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1_000).toFixed(1)} s`;
