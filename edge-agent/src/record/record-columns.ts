/**
 * What has to be known of each record of a block to choose among them: channel, time, sequence, place. It stays in memory when the
 * records themselves are on disk only, so that an event can be cut out without reading anything.
 */

const CAPACITY_MIN = 64;
/** Bytes of one row: time, sequence, start, channel. */
const ROW_BYTES = 8 + 4 + 4 + 2;
/** Rows of the columns that are used less are given back when no more come. */
const USED_SHARE_MIN = 7 / 8;

/** Changed in place: every message passes through it. */
export class RecordColumns {
  count = 0;
  channelIds!: Uint16Array;
  /** logTime as a distance from the session's base, ns. */
  times!: Float64Array;
  sequences!: Uint32Array;
  /** Where the record begins in its block. */
  starts!: Uint32Array;

  /** @param rows as many as are expected: growing means copying */
  constructor(rows: number = CAPACITY_MIN) {
    this.#allocate(Math.max(rows, CAPACITY_MIN));
  }

  get sizeBytes(): number {
    return this.channelIds.length * ROW_BYTES;
  }

  add(channelId: number, time: number, sequence: number, start: number): void {
    if (this.count === this.channelIds.length) this.#resize(this.count * 2);
    this.channelIds[this.count] = channelId;
    this.times[this.count] = time;
    this.sequences[this.count] = sequence;
    this.starts[this.count] = start;
    this.count += 1;
  }

  /** Gives back what was kept for more rows. */
  seal(): void {
    if (this.count < this.channelIds.length * USED_SHARE_MIN) this.#resize(this.count);
  }

  #resize(rows: number): void {
    const { channelIds, times, sequences, starts, count } = this;
    this.#allocate(rows);
    this.channelIds.set(channelIds.subarray(0, count));
    this.times.set(times.subarray(0, count));
    this.sequences.set(sequences.subarray(0, count));
    this.starts.set(starts.subarray(0, count));
  }

  /** All columns in one piece of memory. */
  #allocate(rows: number): void {
    const buffer = new ArrayBuffer(rows * ROW_BYTES);
    this.times = new Float64Array(buffer, 0, rows);
    this.sequences = new Uint32Array(buffer, 8 * rows, rows);
    this.starts = new Uint32Array(buffer, 12 * rows, rows);
    this.channelIds = new Uint16Array(buffer, 16 * rows, rows);
  }
}
