/** Lets a drive pass in its own time, or a multiple of it. */
import type { AgentClock } from '../ports.ts';

/** Waits shorter than this are not worth a timer, ms. */
const WAIT_MS_MIN = 2;
/** A hole in the recording is not sat out for longer than this, ms of the drive. */
const HOLE_MS_MAX = 10_000;
const NS_PER_MS = 1e6;

export class DrivePace {
  readonly #speed: number;
  readonly #clock: AgentClock;
  #dueMs = 0;
  #lastNs: bigint | undefined;

  /** @param speed times real time; 0 does not wait at all */
  constructor(speed: number, clock: AgentClock) {
    this.#speed = speed;
    this.#clock = clock;
  }

  /** Resolves when the message of that time is due. */
  async waitFor(logTimeNs: bigint, signal: AbortSignal): Promise<void> {
    if (this.#speed === 0) return;
    if (this.#lastNs === undefined) this.#dueMs = this.#clock.monotonicMs();
    const stepMs = this.#lastNs === undefined ? 0 : Number(logTimeNs - this.#lastNs) / NS_PER_MS;
    if (this.#lastNs === undefined || logTimeNs > this.#lastNs) this.#lastNs = logTimeNs;
    this.#dueMs += Math.min(HOLE_MS_MAX, Math.max(0, stepMs)) / this.#speed;
    const waitMs = this.#dueMs - this.#clock.monotonicMs();
    if (waitMs >= WAIT_MS_MIN) await this.#clock.wait(waitMs, signal);
  }
}
