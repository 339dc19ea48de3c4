/** Why: a receiver's own UTC inside the messages is the one time that no clock of the vehicle can falsify. */

const BLOCK = 8;
/** UTC in words of a field's name; its unit shows in its size. */
const UTC_NAME = /(^|[._])utc([._]|$)/i;
const SCALES: readonly (readonly [min: number, nsPerUnit: number])[] = [
  [1e18, 1],
  [1e15, 1e3],
  [1e12, 1e6],
  [1e9, 1e9],
];

export type OffsetBlock = { readonly offsetNs: number; readonly atNs: bigint };

export class UtcOffset {
  low: OffsetBlock | undefined;
  high: OffsetBlock | undefined;
  first: OffsetBlock | undefined;
  last: OffsetBlock | undefined;
  #index = -1;
  #base: bigint | undefined;
  #sum = 0;
  #count = 0;

  bind(names: readonly string[]): void {
    this.#index = names.findIndex((name) => UTC_NAME.test(name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')));
  }

  push(logTimeNs: bigint, values: Float64Array): void {
    if (this.#index < 0) return;
    const utc = values[this.#index] as number;
    const scale = SCALES.find(([min]) => utc >= min)?.[1];
    if (scale === undefined) return;
    const offset = logTimeNs - BigInt(Math.round(utc)) * BigInt(scale);
    this.#base ??= offset;
    this.#sum += Number(offset - this.#base);
    this.#count += 1;
    if (this.#count < BLOCK) return;
    const block = { offsetNs: Number(this.#base) + this.#sum / BLOCK, atNs: logTimeNs };
    this.first ??= block;
    this.last = block;
    if (this.low === undefined || block.offsetNs < this.low.offsetNs) this.low = block;
    if (this.high === undefined || block.offsetNs > this.high.offsetNs) this.high = block;
    this.#sum = 0;
    this.#count = 0;
  }
}
