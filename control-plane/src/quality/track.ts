/** Why: the recent course of one signal, thinned to what physics needs, so that two signals can be held against each other block by block. */

/** Samples closer together than this are averaged: noise goes, a lag of milliseconds stays. */
const STEP_NS = 50e6;
/** Time that is held at once; a block of this length is judged, then forgotten. */
export const BLOCK_NS = 120e9;
const SAMPLES_MAX = Math.ceil(BLOCK_NS / STEP_NS) + 2;
/** A silence of more periods than this is not bridged. */
const BRIDGE_PERIODS = 3.5;

export class Track {
  readonly #times = new Float64Array(SAMPLES_MAX);
  readonly #values = new Float64Array(SAMPLES_MAX);
  #count = 0;
  #binStartNs = Number.NEGATIVE_INFINITY;
  #binCount = 0;

  push(nowNs: number, value: number): void {
    if (!Number.isFinite(value)) return;
    const last = this.#count - 1;
    if (last >= 0 && nowNs - this.#binStartNs < STEP_NS && nowNs >= this.#binStartNs) {
      this.#binCount += 1;
      const weight = 1 / this.#binCount;
      this.#times[last] = (this.#times[last] as number) + (nowNs - (this.#times[last] as number)) * weight;
      this.#values[last] = (this.#values[last] as number) + (value - (this.#values[last] as number)) * weight;
      return;
    }
    // Times that go back are a finding of their own; here they would only confuse.
    if (this.#count >= SAMPLES_MAX || (last >= 0 && nowNs <= (this.#times[last] as number))) return;
    this.#times[this.#count] = nowNs;
    this.#values[this.#count] = value;
    this.#count += 1;
    this.#binStartNs = nowNs;
    this.#binCount = 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Mean distance of samples, ns. */
  get periodNs(): number {
    if (this.#count < 2) return Number.NaN;
    return ((this.#times[this.#count - 1] as number) - (this.#times[0] as number)) / (this.#count - 1);
  }

  /** Linear between samples on a grid; NaN where there is no sample near enough. */
  onGrid(grid: Grid): Float64Array {
    const out = new Float64Array(grid.steps).fill(Number.NaN);
    const bridgeNs = Math.max(this.periodNs * BRIDGE_PERIODS, grid.stepNs);
    let index = 0;
    for (let step = 0; step < grid.steps; step += 1) {
      const at = grid.startNs + step * grid.stepNs;
      while (index + 2 < this.#count && (this.#times[index + 1] as number) <= at) index += 1;
      const [t0, t1] = [this.#times[index] as number, this.#times[index + 1] as number];
      if (index + 1 >= this.#count || at < t0 || at > t1 || t1 - t0 > bridgeNs) continue;
      const [v0, v1] = [this.#values[index] as number, this.#values[index + 1] as number];
      out[step] = v0 + ((v1 - v0) * (at - t0)) / (t1 - t0);
    }
    return out;
  }

  /** The mean around each point of the grid, one step wide; what is slower than the grid is drawn linearly. */
  smoothed(grid: Grid): Float64Array {
    const parts = Math.max(1, Math.min(16, Math.round(grid.stepNs / Math.max(STEP_NS, this.periodNs || STEP_NS))));
    if (parts === 1) return this.onGrid(grid);
    const fine = this.onGrid({
      startNs: grid.startNs - grid.stepNs / 2 + grid.stepNs / (2 * parts),
      stepNs: grid.stepNs / parts,
      steps: grid.steps * parts,
    });
    const out = new Float64Array(grid.steps);
    for (let step = 0; step < grid.steps; step += 1) {
      let sum = 0;
      for (let part = 0; part < parts; part += 1) sum += fine[step * parts + part] as number;
      out[step] = sum / parts;
    }
    return out;
  }

  clear(): void {
    this.#count = 0;
    this.#binStartNs = Number.NEGATIVE_INFINITY;
  }
}

export type Grid = { readonly startNs: number; readonly stepNs: number; readonly steps: number };

/** Central differences per second. */
export function derivative(values: Float64Array, stepNs: number): Float64Array {
  const out = new Float64Array(values.length).fill(Number.NaN);
  const scale = 1e9 / (2 * stepNs);
  for (let at = 1; at + 1 < values.length; at += 1)
    out[at] = ((values[at + 1] as number) - (values[at - 1] as number)) * scale;
  return out;
}

/** The mean over the time that a central difference looks at, so that both are equally smooth. */
export function asSmoothAsDerivative(values: Float64Array): Float64Array {
  const out = new Float64Array(values.length).fill(Number.NaN);
  for (let at = 1; at + 1 < values.length; at += 1)
    out[at] = ((values[at - 1] as number) + 2 * (values[at] as number) + (values[at + 1] as number)) / 4;
  return out;
}
