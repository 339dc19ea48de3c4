/** Why: the values of a topic wait here for a moment, so that each signal is looked at many samples at a time and not one by one. */

/** Values of a block: as many as the nearest cache holds. */
const BLOCK_VALUES = 4_096;
const ROWS_MIN = 16;
const ROWS_MAX = 256;

export class SampleBlock {
  /** Signals of each sample. */
  readonly width: number;
  /** Row by row; what lies behind the last row is of no meaning. */
  readonly values: Float64Array;
  /** The same memory: two words per value. */
  readonly words: Uint32Array;
  readonly timesNs: Float64Array;
  rows = 0;

  constructor(width: number) {
    const rowsMax = Math.min(ROWS_MAX, Math.max(ROWS_MIN, Math.floor(BLOCK_VALUES / Math.max(1, width))));
    this.width = width;
    this.values = new Float64Array(rowsMax * width);
    this.words = new Uint32Array(this.values.buffer);
    this.timesNs = new Float64Array(rowsMax);
  }

  get isFull(): boolean {
    return this.rows === this.timesNs.length;
  }

  /** Takes the first `width` of the values. There must be room. */
  add(values: Float64Array, nowNs: number): void {
    const from = this.rows * this.width;
    if (values.length === this.width) this.values.set(values, from);
    else for (let index = 0; index < this.width; index += 1) this.values[from + index] = values[index] as number;
    this.timesNs[this.rows] = nowNs;
    this.rows += 1;
  }
}
