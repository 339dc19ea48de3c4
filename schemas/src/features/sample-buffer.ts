/** Overlapping windows share their samples: each series keeps one block, ordered by time, so that a window is a range of it. */

const CAPACITY_INITIAL = 1_024;

/**
 * Samples of one series by log time, equal stamps in order of arrival. Times are ns from the session's base. It is on the hot path:
 * its arrays are open to whoever reads windows, and a sample in order costs a write at the end; a late one moves those after it.
 */
export class SampleBuffer {
  times = new Float64Array(CAPACITY_INITIAL);
  values = new Float64Array(CAPACITY_INITIAL);
  /** Number of the message that brought a sample: orders equal stamps of different series. */
  arrivals = new Float64Array(CAPACITY_INITIAL);
  /** The samples are those at [head, tail). */
  head = 0;
  tail = 0;

  get length(): number {
    return this.tail - this.head;
  }

  push(timeNs: number, value: number, arrival: number): void {
    if (this.tail === this.times.length) this.#makeRoom();
    let at = this.tail;
    while (at > this.head && (this.times[at - 1] as number) > timeNs) at -= 1;
    if (at < this.tail) this.#shift(at);
    this.times[at] = timeNs;
    this.values[at] = value;
    this.arrivals[at] = arrival;
    this.tail += 1;
  }

  /** Position of the first sample at or after `timeNs`; `tail` for none. */
  firstAt(timeNs: number): number {
    let low = this.head;
    let high = this.tail;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.times[middle] as number) < timeNs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Drops samples that are older than `timeNs`. */
  evictBefore(timeNs: number): void {
    while (this.head < this.tail && (this.times[this.head] as number) < timeNs) this.head += 1;
    if (this.head === this.tail) this.clear();
  }

  clear(): void {
    this.head = 0;
    this.tail = 0;
  }

  #shift(at: number): void {
    this.times.copyWithin(at + 1, at, this.tail);
    this.values.copyWithin(at + 1, at, this.tail);
    this.arrivals.copyWithin(at + 1, at, this.tail);
  }

  /** Moves the live samples to the front; doubles the block only when more than half of it is live. */
  #makeRoom(): void {
    const isCrowded = this.length * 2 > this.times.length;
    const capacity = isCrowded ? this.times.length * 2 : this.times.length;
    this.times = moved(this.times, this, capacity);
    this.values = moved(this.values, this, capacity);
    this.arrivals = moved(this.arrivals, this, capacity);
    this.tail -= this.head;
    this.head = 0;
  }
}

function moved(from: Float64Array<ArrayBuffer>, range: SampleBuffer, capacity: number): Float64Array<ArrayBuffer> {
  if (capacity === from.length) return from.copyWithin(0, range.head, range.tail);
  const to = new Float64Array(capacity);
  to.set(from.subarray(range.head, range.tail));
  return to;
}
