/** Why: a clock that runs too fast moves away slowly, by less than any step; a line through the distances of the two stamps shows it. */

export class SkewTrend {
  #n = 0;
  #time = 0;
  #skew = 0;
  #timeTime = 0;
  #timeSkew = 0;
  #skewSkew = 0;
  #firstS = Number.NaN;
  #lastS = Number.NaN;

  /** @param skewNs a mean distance of log and publish time */
  push(nowNs: number, skewNs: number): void {
    const seconds = nowNs / 1e9;
    this.#n += 1;
    if (this.#n === 1) this.#firstS = seconds;
    this.#lastS = seconds;
    // Means and squares about them, updated: differences of large numbers would leave nothing of microseconds.
    const [dt, ds] = [seconds - this.#time, skewNs - this.#skew];
    this.#time += dt / this.#n;
    this.#skew += ds / this.#n;
    this.#timeTime += dt * (seconds - this.#time);
    this.#timeSkew += dt * (skewNs - this.#skew);
    this.#skewSkew += ds * (skewNs - this.#skew);
  }

  get count(): number {
    return this.#n;
  }

  get seconds(): number {
    return this.#n < 2 ? 0 : this.#lastS - this.#firstS;
  }

  /** Parts in a million by which the log clock runs faster. */
  get ppm(): number {
    return this.#timeTime > 0 ? this.#timeSkew / this.#timeTime / 1e3 : 0;
  }

  /** Share of what the distances vary by that the line explains. */
  get explained(): number {
    const product = this.#timeTime * this.#skewSkew;
    return product > 0 ? this.#timeSkew ** 2 / product : 0;
  }
}
