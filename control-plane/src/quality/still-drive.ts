/** Why: a position or a heading that keeps one value is a fault only while the vehicle drives on; this is how far it drove meanwhile. */

/** Longest time between two samples that counts as driving on, s. */
const STEP_S_MAX = 5;

export type Still = { readonly fromNs: number; readonly toNs: number; readonly metres: number };

export class StillDrive {
  /** The farthest; undefined when there was none. */
  farthest: Still | undefined;
  #value = Number.NaN;
  #fromNs = 0;
  #lastNs = 0;
  #metres = 0;

  /** @param speedMps the vehicle's own speed now, NaN when it is not known */
  push(nowNs: number, value: number, speedMps: number): void {
    if (value !== this.#value) {
      this.#value = value;
      this.#fromNs = nowNs;
      this.#metres = 0;
    } else if (Number.isFinite(speedMps)) {
      const seconds = Math.min(STEP_S_MAX, Math.max(0, (nowNs - this.#lastNs) / 1e9));
      this.#metres += Math.abs(speedMps) * seconds;
      if (this.#metres > (this.farthest?.metres ?? 0))
        this.farthest = { fromNs: this.#fromNs, toNs: nowNs, metres: this.#metres };
    }
    this.#lastNs = nowNs;
  }
}
