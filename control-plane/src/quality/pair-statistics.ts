/**
 * Why: how two series belong together (correlation, slope, ratio, lag), accumulated block by block, so that a drive of hours needs
 * no more memory than one of minutes. Each block is centred by itself: a slope of the road or a bias is not taken for agreement.
 */

const LAG_NS_MAX = 5e9;
const LAG_STEPS_MAX = 24;
/** Share of the samples that must be left at a lag: few are alike by chance. */
const OVERLAP_SHARE_MIN = 0.75;
const BLOCKS_MAX = 256;
/** Lags, either way, that blocks are kept for. */
const BLOCK_LAGS = 2;
/** Neighbouring samples of a smoothed derivative are alike; this many count as one. */
const SAMPLES_PER_INDEPENDENT = 3;

export type Sums = { n: number; xx: number; yy: number; xy: number; x: number; y: number };
export type Block = Sums & { readonly fromNs: number; toNs: number };
/** A block as it is kept: its sums for a few lags around none. */
type KeptBlock = { readonly byLag: readonly Sums[]; readonly fromNs: number; toNs: number };

/** What the sums say. `slope` is second per first; `deviations` how many standard errors the correlation is from zero. */
export type Agreement = {
  readonly n: number;
  readonly correlation: number;
  readonly slope: number;
  /** Spread of the second per spread of the first. */
  readonly spreadRatio: number;
  readonly ratio: number;
  readonly deviations: number;
};

export type Lag = { readonly lagNs: number; readonly uncertaintyNs: number; readonly correlation: number };

export class PairStatistics {
  readonly stepNs: number;
  readonly #blocks: KeptBlock[] = [];
  readonly #lags: readonly Sums[];
  readonly #lagsMax: number;

  constructor(stepNs: number) {
    this.stepNs = stepNs;
    this.#lagsMax = Math.min(LAG_STEPS_MAX, Math.max(2, Math.round(LAG_NS_MAX / stepNs)));
    this.#lags = Array.from({ length: 2 * this.#lagsMax + 1 }, emptySums);
  }

  /** Two series on one grid that starts at `startNs`; NaN where one is unknown. */
  add(first: Float64Array, second: Float64Array, startNs: number): void {
    const byLag = Array.from({ length: 2 * BLOCK_LAGS + 1 }, emptySums);
    for (let lag = -this.#lagsMax; lag <= this.#lagsMax; lag += 1) {
      const sums = sumsOf(first, second, lag);
      if (sums.n < 3) continue;
      merge(this.#lags[lag + this.#lagsMax] as Sums, sums);
      if (Math.abs(lag) <= BLOCK_LAGS) byLag[lag + BLOCK_LAGS] = sums;
    }
    if ((byLag[BLOCK_LAGS] as Sums).n >= 3)
      this.#blocks.push({ byLag, fromNs: startNs, toNs: startNs + first.length * this.stepNs });
    if (this.#blocks.length > BLOCKS_MAX) this.#halve();
  }

  /** The blocks at the lag where the two agree best, as far as that is near to none. */
  blocks(): readonly Block[] {
    const best = this.#bestLag();
    const lag = Math.abs(best) <= BLOCK_LAGS ? best : 0;
    return this.#blocks.map(({ byLag, fromNs, toNs }) => ({ ...(byLag[lag + BLOCK_LAGS] as Sums), fromNs, toNs }));
  }

  get total(): Agreement {
    return agreementOf(this.#lags[this.#lagsMax] as Sums);
  }

  /** Where the two are most alike; positive when the second comes later. Undefined at the edge of the search. */
  lag(): (Lag & { readonly atPeak: Agreement }) | undefined {
    const correlations = this.#lags.map((sums) => agreementOf(sums).correlation);
    const best = this.#bestLag() + this.#lagsMax;
    if (best === 0 || best === correlations.length - 1) return undefined;
    const [left, peak, right] = [-1, 0, 1].map((shift) => Math.abs(correlations[best + shift] as number)) as [
      number,
      number,
      number,
    ];
    const atPeak = agreementOf(this.#lags[best] as Sums);
    const curvature = 2 * peak - left - right;
    const shift = curvature > 0 ? (0.5 * (right - left)) / curvature : 0;
    // The variance of the place of a peak: the noise that is left over its curvature, over the samples that carry it.
    const noise = Math.max(1e-9, 1 - peak * peak);
    const independent = Math.max(1, atPeak.n / SAMPLES_PER_INDEPENDENT);
    const deviation =
      curvature > 0 ? Math.sqrt(noise / (curvature * Math.max(peak, 1e-6) * independent)) : LAG_STEPS_MAX;
    return {
      lagNs: (best - this.#lagsMax + shift) * this.stepNs,
      uncertaintyNs: Math.max(0.1, deviation) * this.stepNs,
      correlation: correlations[best] as number,
      atPeak,
    };
  }

  #bestLag(): number {
    let best = this.#lagsMax;
    let highest = 0;
    const least = OVERLAP_SHARE_MIN * Math.max(...this.#lags.map(({ n }) => n));
    for (const [index, sums] of this.#lags.entries()) {
      if (sums.n < least) continue;
      const correlation = Math.abs(agreementOf(sums).correlation);
      if (correlation <= highest) continue;
      best = index;
      highest = correlation;
    }
    return best - this.#lagsMax;
  }

  #halve(): void {
    const merged: KeptBlock[] = [];
    for (let index = 0; index < this.#blocks.length; index += 2) {
      const block = this.#blocks[index] as KeptBlock;
      const next = this.#blocks[index + 1];
      if (next !== undefined) {
        for (const [lag, sums] of block.byLag.entries()) merge(sums, next.byLag[lag] as Sums);
        block.toNs = next.toNs;
      }
      merged.push(block);
    }
    this.#blocks.splice(0, this.#blocks.length, ...merged);
  }
}

export function agreementOf({ n, xx, yy, xy, x, y }: Sums): Agreement {
  const correlation = xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : 0;
  const independent = n / SAMPLES_PER_INDEPENDENT;
  const error = Math.sqrt(Math.max(1e-9, 1 - correlation * correlation) / Math.max(1, independent - 2));
  return {
    n,
    correlation,
    slope: xx > 0 ? xy / xx : 0,
    spreadRatio: xx > 0 ? Math.sqrt(yy / xx) : 0,
    ratio: x === 0 ? Number.NaN : y / x,
    deviations: independent > 4 ? correlation / error : 0,
  };
}

function emptySums(): Sums {
  return { n: 0, xx: 0, yy: 0, xy: 0, x: 0, y: 0 };
}

function merge(into: Sums, from: Sums): void {
  into.n += from.n;
  into.xx += from.xx;
  into.yy += from.yy;
  into.xy += from.xy;
  into.x += from.x;
  into.y += from.y;
}

/** Sums about the means of the part where both are known, the second taken `lag` steps later. Hot path. */
function sumsOf(first: Float64Array, second: Float64Array, lag: number): Sums {
  const from = Math.max(0, -lag);
  const to = Math.min(first.length, second.length - lag);
  let [n, x, y, xx, yy, xy] = [0, 0, 0, 0, 0, 0];
  for (let index = from; index < to; index += 1) {
    const a = first[index] as number;
    const b = second[index + lag] as number;
    if (Number.isNaN(a) || Number.isNaN(b)) continue;
    n += 1;
    x += a;
    y += b;
    xx += a * a;
    yy += b * b;
    xy += a * b;
  }
  if (n === 0) return emptySums();
  return { n, x, y, xx: xx - (x * x) / n, yy: yy - (y * y) / n, xy: xy - (x * y) / n };
}
