/** Which windows are open, and when each closes: state of its own, so that the evaluator is the same for all kinds of windows. */
import { type FeatureWindow, type FixedWindow, isSessionWindow, type SessionWindow } from './feature-window.ts';

const NS_PER_MS = 1_000_000;

/** All times are ns from the base that the evaluator chose. Mutable: it is on the hot path. */
export interface WindowCutter {
  /** Range [startNs, endNs) of the window that `close` has just closed. */
  readonly startNs: number;
  readonly endNs: number;
  /** Whether a window ends with its last sample, before `endNs`, instead of at it. */
  readonly endsWithSamples: boolean;
  /** No window to come has a sample before this. */
  readonly keepFromNs: number;
  /** Starts with the stamp of the first message, `firstNs`. */
  begin(firstNs: number): void;
  /** Whether a sample belongs to no window that is open or to come. */
  isLate(timeNs: number): boolean;
  /** Takes note of a sample that is not late. */
  add(timeNs: number): void;
  /** Whether a window is to be closed now that `watermarkNs` is the newest stamp; the range is then that window's. */
  close(watermarkNs: number): boolean;
  /** Gives up the open windows; the next one starts after `timeNs`. */
  giveUp(timeNs: number): void;
}

export function makeCutter(window: FeatureWindow): WindowCutter {
  return isSessionWindow(window) ? new SessionCutter(window) : new FixedCutter(window);
}

/** Distance between the base and the epoch is a multiple of this. */
export function alignmentNs(window: FeatureWindow): bigint {
  return isSessionWindow(window) ? 1n : BigInt(window.hopMs) * BigInt(NS_PER_MS);
}

class FixedCutter implements WindowCutter {
  startNs = 0;
  endNs = 0;
  readonly endsWithSamples = false;
  readonly #lengthNs: number;
  readonly #hopNs: number;
  readonly #latenessNs: number;
  /** Index of the next window to close; window k starts at base + k * hop. */
  #next = 0;
  #newestNs = Number.NEGATIVE_INFINITY;

  constructor(window: FixedWindow) {
    this.#lengthNs = window.lengthMs * NS_PER_MS;
    this.#hopNs = window.hopMs * NS_PER_MS;
    this.#latenessNs = (window.latenessMs ?? 0) * NS_PER_MS;
  }

  get keepFromNs(): number {
    return this.#next * this.#hopNs;
  }

  begin(firstNs: number): void {
    this.#next = this.#firstOpenAt(firstNs);
    this.#newestNs = Number.NEGATIVE_INFINITY;
  }

  isLate(timeNs: number): boolean {
    return timeNs < this.#next * this.#hopNs;
  }

  add(timeNs: number): void {
    if (timeNs > this.#newestNs) this.#newestNs = timeNs;
  }

  close(watermarkNs: number): boolean {
    const startNs = this.#next * this.#hopNs;
    if (startNs + this.#lengthNs + this.#latenessNs > watermarkNs) return false;
    if (this.#newestNs < startNs) {
      // Nothing is open: a long silence is stepped over without visiting each window in it.
      if (watermarkNs !== Number.POSITIVE_INFINITY) this.#next = Math.max(this.#next, this.#firstOpenAt(watermarkNs));
      return false;
    }
    this.startNs = startNs;
    this.endNs = startNs + this.#lengthNs;
    this.#next += 1;
    return true;
  }

  giveUp(timeNs: number): void {
    this.#next = Math.max(this.#next, Math.floor(timeNs / this.#hopNs) + 1);
  }

  /** The earliest window that `watermarkNs` has not closed. */
  #firstOpenAt(watermarkNs: number): number {
    return Math.floor((watermarkNs - this.#latenessNs - this.#lengthNs) / this.#hopNs) + 1;
  }
}

/** A stretch without a gap; its pieces before `piece` are closed already. */
type Stretch = { firstNs: number; lastNs: number; piece: number };

class SessionCutter implements WindowCutter {
  startNs = 0;
  endNs = 0;
  readonly endsWithSamples = true;
  readonly #gapNs: number;
  readonly #lengthNs: number;
  readonly #latenessNs: number;
  /** In order of time, more than a gap apart. */
  readonly #stretches: Stretch[] = [];
  #horizonNs = Number.NEGATIVE_INFINITY;

  constructor(window: SessionWindow) {
    this.#gapNs = window.gapMs * NS_PER_MS;
    this.#lengthNs = window.lengthMsMax * NS_PER_MS;
    this.#latenessNs = (window.latenessMs ?? 0) * NS_PER_MS;
  }

  get keepFromNs(): number {
    const [first] = this.#stretches;
    return first === undefined ? this.#horizonNs : Math.min(this.#horizonNs, pieceStart(first, this.#lengthNs));
  }

  begin(firstNs: number): void {
    this.#stretches.length = 0;
    this.#horizonNs = firstNs - this.#latenessNs;
  }

  isLate(timeNs: number): boolean {
    return timeNs < this.#horizonNs;
  }

  add(timeNs: number): void {
    const newest = this.#stretches.at(-1);
    if (newest !== undefined && timeNs >= newest.lastNs && timeNs - newest.lastNs <= this.#gapNs)
      newest.lastNs = timeNs;
    else this.#insert(timeNs);
  }

  close(watermarkNs: number): boolean {
    this.#horizonNs = Math.max(this.#horizonNs, watermarkNs - this.#latenessNs);
    const [first] = this.#stretches;
    if (first === undefined) return false;
    const startNs = pieceStart(first, this.#lengthNs);
    const isOver = this.#horizonNs > first.lastNs + this.#gapNs;
    if (!isOver && this.#horizonNs < startNs + this.#lengthNs) return false;
    this.startNs = startNs;
    // Not beyond the stretch: the next one may start before a whole length is over.
    this.endNs = Math.min(startNs + this.#lengthNs, first.lastNs + 1);
    first.piece += 1;
    if (isOver && first.lastNs < startNs + this.#lengthNs) this.#stretches.shift();
    return true;
  }

  giveUp(timeNs: number): void {
    this.#stretches.length = 0;
    this.#horizonNs = Math.max(this.#horizonNs, timeNs);
  }

  /** A sample that starts a stretch, or came late: it may widen one and close the gap between two. */
  #insert(timeNs: number): void {
    const at = this.#stretches.findIndex((stretch) => stretch.lastNs + this.#gapNs >= timeNs);
    const near = at < 0 ? undefined : this.#stretches[at];
    if (near === undefined) {
      this.#stretches.push({ firstNs: timeNs, lastNs: timeNs, piece: 0 });
      return;
    }
    if (near.firstNs - this.#gapNs > timeNs) {
      this.#stretches.splice(at, 0, { firstNs: timeNs, lastNs: timeNs, piece: 0 });
      return;
    }
    near.firstNs = Math.min(near.firstNs, timeNs);
    near.lastNs = Math.max(near.lastNs, timeNs);
    const following = this.#stretches[at + 1];
    if (following !== undefined && following.firstNs - near.lastNs <= this.#gapNs) {
      near.lastNs = Math.max(near.lastNs, following.lastNs);
      this.#stretches.splice(at + 1, 1);
    }
  }
}

function pieceStart(stretch: Stretch, lengthNs: number): number {
  return stretch.firstNs + stretch.piece * lengthNs;
}
