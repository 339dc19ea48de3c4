// Why this file exists: overlapping windows share their samples; each series keeps one growing block of time and value, so that
// steady state allocates nothing.

const CAPACITY_INITIAL = 1_024;

/** Samples of one series in order of arrival. Times are ns from the session's base; mutable because it is on the hot path. */
export class SeriesBuffer {
  #times = new Float64Array(CAPACITY_INITIAL);
  #values = new Float64Array(CAPACITY_INITIAL);
  #head = 0;
  #tail = 0;

  get length(): number {
    return this.#tail - this.#head;
  }

  push(timeNs: number, value: number): void {
    if (this.#tail === this.#times.length) this.#makeRoom();
    this.#times[this.#tail] = timeNs;
    this.#values[this.#tail] = value;
    this.#tail += 1;
  }

  /** Drops leading samples that are older than `timeNs`. */
  evictBefore(timeNs: number): void {
    while (this.#head < this.#tail && (this.#times[this.#head] as number) < timeNs) this.#head += 1;
    if (this.#head === this.#tail) this.clear();
  }

  /** Copies the values from `startNs` on into `target` (at least `length` long), in order of arrival. Returns how many. */
  copyFrom(startNs: number, target: Float64Array): number {
    let count = 0;
    for (let index = this.#head; index < this.#tail; index += 1) {
      if ((this.#times[index] as number) < startNs) continue;
      target[count] = this.#values[index] as number;
      count += 1;
    }
    return count;
  }

  clear(): void {
    this.#head = 0;
    this.#tail = 0;
  }

  /** Moves the live samples to the front; doubles the block only when more than half of it is live. */
  #makeRoom(): void {
    const live = this.length;
    const capacity = live * 2 > this.#times.length ? this.#times.length * 2 : this.#times.length;
    const times = capacity === this.#times.length ? this.#times : new Float64Array(capacity);
    const values = capacity === this.#values.length ? this.#values : new Float64Array(capacity);
    times.set(this.#times.subarray(this.#head, this.#tail));
    values.set(this.#values.subarray(this.#head, this.#tail));
    this.#times = times;
    this.#values = values;
    this.#head = 0;
    this.#tail = live;
  }
}
