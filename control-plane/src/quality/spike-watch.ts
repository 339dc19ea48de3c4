/**
 * Why: a bit that flips on a bus gives one value that is far away and then is not. It is a spike when it leaves both of its neighbours, the
 * same way, by more than the quantity can change in that time, and by far more than this signal changes otherwise: rough ground is no fault.
 */

import type { SampleBlock } from './sample-block.ts';

/** How many usual changes a spike is at least. */
const USUAL_FACTOR = 12;
/** Neighbours of a spike agree within this share of its height. */
const NEIGHBOUR_SHARE = 0.4;
/** Changes before the usual one is known. */
const CHANGES_MIN = 20;
/** Neighbours further away than this say nothing. */
const NEIGHBOUR_NS_MAX = 2.5e9;

export type Spike = { readonly atNs: number; readonly value: number; readonly before: number; readonly after: number };

/** Most, in the unit of the values, that a quantity can be away from both neighbours: at once, and more for each second. */
export type SpikeBound = { readonly step: number; readonly perSecond: number; readonly fromMps: number };

export class SpikeWatch {
  count = 0;
  firstNs = Number.NaN;
  lastNs = Number.NaN;
  highest: Spike | undefined;
  #changes = 0;
  #sum = 0;
  readonly bound: SpikeBound;
  #before = Number.NaN;
  #middle = Number.NaN;
  #beforeNs = 0;
  #middleNs = 0;

  constructor(bound: SpikeBound) {
    this.bound = bound;
  }

  take({ values, timesNs, width, rows }: SampleBlock, column: number): void {
    for (let row = 0, at = column; row < rows; row += 1, at += width)
      this.push(values[at] as number, timesNs[row] as number);
  }

  /** Absent values are skipped: neighbours are those that were measured. Hot path. */
  push(value: number, nowNs: number): void {
    if (Number.isNaN(value) || nowNs <= this.#middleNs) return;
    const up = this.#middle - this.#before;
    const down = this.#middle - value;
    if (up * down > 0) this.#judge(up, down, value, nowNs);
    const change = Math.abs(value - this.#middle);
    if (change < Number.POSITIVE_INFINITY) {
      this.#changes += 1;
      this.#sum += change;
    }
    this.#before = this.#middle;
    this.#beforeNs = this.#middleNs;
    this.#middle = value;
    this.#middleNs = nowNs;
  }

  #judge(up: number, down: number, value: number, nowNs: number): void {
    const height = Math.min(Math.abs(up), Math.abs(down));
    const seconds = (nowNs - this.#beforeNs) / 2e9;
    if (height <= this.bound.step + this.bound.perSecond * seconds || height === Number.POSITIVE_INFINITY) return;
    if (nowNs - this.#beforeNs > NEIGHBOUR_NS_MAX || Math.abs(up - down) > NEIGHBOUR_SHARE * height) return;
    if (this.#changes < CHANGES_MIN || height < USUAL_FACTOR * (this.#sum / this.#changes)) return;
    this.count += 1;
    if (this.count === 1) this.firstNs = this.#middleNs;
    this.lastNs = this.#middleNs;
    const known = this.highest === undefined ? 0 : Math.abs(this.highest.value - this.highest.before);
    if (height > known)
      this.highest = { atNs: this.#middleNs, value: this.#middle, before: this.#before, after: value };
  }
}
