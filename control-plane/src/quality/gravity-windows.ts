/**
 * Why: over seconds a vehicle's own acceleration averages out and gravity stays, so the mean vector of each window has one length
 * and one direction. The horizontal part adds in quadrature, which is why driving hardly disturbs it.
 */

const WINDOWS_MAX = 512;
const SAMPLES_MIN = 5;

export type GravityWindow = {
  readonly fromNs: number;
  toNs: number;
  readonly x: number;
  readonly y: number;
  readonly z: number;
};

export class GravityWindows {
  readonly windows: GravityWindow[] = [];
  #windowNs: number;
  #startNs = Number.NaN;
  #lastNs = Number.NaN;
  readonly #sums = new Float64Array(3);
  #samples = 0;

  constructor(windowNs: number) {
    this.#windowNs = windowNs;
  }

  push(nowNs: number, x: number, y: number, z: number): void {
    if (!Number.isFinite(x + y + z)) return;
    if (!(nowNs - this.#startNs < this.#windowNs) || nowNs < this.#startNs) this.#start(nowNs);
    this.#sums[0] = (this.#sums[0] as number) + x;
    this.#sums[1] = (this.#sums[1] as number) + y;
    this.#sums[2] = (this.#sums[2] as number) + z;
    this.#samples += 1;
    this.#lastNs = nowNs;
  }

  finish(): void {
    this.#start(this.#lastNs);
  }

  /** A window that is cut short by the end or a silence still counts when it is half full. */
  #start(nowNs: number): void {
    const isEnough = this.#samples >= SAMPLES_MIN && this.#lastNs - this.#startNs >= 0.45 * this.#windowNs;
    if (isEnough) {
      const [x, y, z] = [...this.#sums].map((sum) => sum / this.#samples) as [number, number, number];
      this.windows.push({ fromNs: this.#startNs, toNs: this.#lastNs, x, y, z });
      if (this.windows.length >= WINDOWS_MAX) this.#coarsen();
    }
    this.#startNs = nowNs;
    this.#sums.fill(0);
    this.#samples = 0;
  }

  #coarsen(): void {
    const merged: GravityWindow[] = [];
    for (let index = 0; index + 1 < this.windows.length; index += 2) {
      const [a, b] = [this.windows[index] as GravityWindow, this.windows[index + 1] as GravityWindow];
      merged.push({ fromNs: a.fromNs, toNs: b.toNs, x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, z: (a.z + b.z) / 2 });
    }
    this.windows.splice(0, this.windows.length, ...merged);
    this.#windowNs *= 2;
  }
}

export function lengthOfVector({ x, y, z }: Pick<GravityWindow, 'x' | 'y' | 'z'>): number {
  return Math.hypot(x, y, z);
}
