/**
 * Samples that windows over one signal have not taken up yet, in order of arrival. A condition that is decided without its window never
 * asks for them, so each window takes them in runs: one window's memory at a time, and only as often as the log is full.
 */

/** Few enough that a full log delays no message noticeably; enough that a window's memory is fetched once for many samples. */
export const LOG_SAMPLES_MAX = 32;

/** Who takes samples up; it keeps how many of the log's it has. */
export interface SampleTaker {
  /** Samples of the log that were taken up since it was empty. */
  taken: number;
  /** Takes up the rest. */
  takeUp(log: SampleLog): void;
}

/** Changed in place for each sample. Times are session-relative ns. */
export class SampleLog {
  readonly timesNs = new Float64Array(LOG_SAMPLES_MAX);
  readonly values = new Float64Array(LOG_SAMPLES_MAX);
  count = 0;
  readonly #takers: SampleTaker[] = [];

  attach(taker: SampleTaker): void {
    taker.taken = this.count;
    this.#takers.push(taker);
  }

  append(timeNs: number, value: number): void {
    if (this.count === LOG_SAMPLES_MAX) this.empty();
    this.timesNs[this.count] = timeNs;
    this.values[this.count] = value;
    this.count += 1;
  }

  /** All take up what is left for them. */
  empty(): void {
    for (let index = 0; index < this.#takers.length; index += 1) {
      const taker = this.#takers[index] as SampleTaker;
      if (taker.taken < this.count) taker.takeUp(this);
      taker.taken = 0;
    }
    this.count = 0;
  }

  /** What was not taken up belongs to a session that is over. */
  forget(): void {
    for (const taker of this.#takers) taker.taken = 0;
    this.count = 0;
  }
}
