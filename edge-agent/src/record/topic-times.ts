/** When the messages of one topic came, gathered while an event is cut out: what gaps, losses and resolution are read from. */

const CAPACITY_MIN = 32;

/** Changed in place: one row for each message of an event. */
export class TopicTimes {
  #times: Float64Array = new Float64Array(CAPACITY_MIN);
  #count = 0;
  #isOrdered = true;
  #highestSequence = -1;
  /** Messages lost, by jumps of the sequence. */
  lost = 0;

  add(time: number, sequence: number): void {
    const count = this.#count;
    if (count === this.#times.length) {
      const grown = new Float64Array(count * 2);
      grown.set(this.#times);
      this.#times = grown;
    }
    if (count > 0) {
      if (time < (this.#times[count - 1] as number)) this.#isOrdered = false;
      if (sequence > this.#highestSequence + 1) this.lost += sequence - this.#highestSequence - 1;
    }
    if (sequence > this.#highestSequence || count === 0) this.#highestSequence = sequence;
    this.#times[count] = time;
    this.#count = count + 1;
  }

  /** Ascending distances from the session's base, ns. */
  ascending(): Float64Array {
    const times = this.#times.subarray(0, this.#count);
    if (this.#isOrdered) return times;
    this.#isOrdered = true;
    // Sorted where they are: nothing reads them in the order of arrival afterwards.
    return times.sort();
  }
}
