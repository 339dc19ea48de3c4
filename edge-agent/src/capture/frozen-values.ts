/**
 * Finds values that stand still though they should not. A signal is expected to move only after it has been seen to move nearly
 * every time (a sensor with noise); one that is quantised, held between fixes, or at exactly zero (a vehicle that stands) is not judged.
 */
import type { SourceMessage } from '@fleetloop/schemas';
import type { FindingLog } from './finding-log.ts';

/** Samples that must have been seen, and the share of them that differed from the one before, for a signal to count as lively. */
const LIVELY_SAMPLES_MIN = 50;
const LIVELY_SHARE = 0.8;
/** How long and how often a lively signal may repeat itself. */
export const FROZEN_REPEATS_MIN = 20;
export const FROZEN_NS_MIN = 2e9;
/** Weight of the newest sample in the share. */
const WEIGHT = 1 / 64;

/** `signal` is an index within the channel, undefined for a payload. */
export type FrozenNow = { readonly signal: number | undefined; readonly sinceNs: number };

/** One run of equal samples. */
class Run {
  samples = 0;
  share = 0;
  repeats = 0;
  sinceNs = 0;
  isFrozen = false;

  step(isRepeated: boolean, nowNs: number): void {
    this.samples += 1;
    if (isRepeated) this.repeats += 1;
    else {
      this.repeats = 0;
      this.sinceNs = nowNs;
      this.isFrozen = false;
    }
    // While it stands still the share is kept: it says what the signal was like before.
    if (this.repeats < FROZEN_REPEATS_MIN) this.share += ((isRepeated ? 0 : 1) - this.share) * this.#weight();
  }

  restart(nowNs: number): void {
    this.repeats = 0;
    this.sinceNs = nowNs;
    this.isFrozen = false;
  }

  isLively(): boolean {
    return this.samples >= LIVELY_SAMPLES_MIN && this.share >= LIVELY_SHARE * (1 - WEIGHT) ** FROZEN_REPEATS_MIN;
  }

  isTooLong(nowNs: number): boolean {
    return this.repeats >= FROZEN_REPEATS_MIN && nowNs - this.sinceNs >= FROZEN_NS_MIN;
  }

  /** A plain mean at first, then a mean that forgets. */
  #weight(): number {
    return Math.max(WEIGHT, 1 / this.samples);
  }
}

/** Watches each signal of a channel. */
export class FrozenValues {
  readonly #last: Float64Array;
  readonly #runs: readonly Run[];

  constructor(signals: number) {
    this.#last = new Float64Array(signals).fill(Number.NaN);
    this.#runs = Array.from({ length: signals }, () => new Run());
  }

  push(message: SourceMessage, nowNs: number, log: FindingLog): void {
    if (message.kind !== 'signal') return;
    const { values } = message;
    for (let index = 0; index < this.#runs.length; index += 1) {
      const value = values[index] as number;
      if (Number.isNaN(value)) continue;
      const run = this.#runs[index] as Run;
      const wasFrozen = run.isFrozen;
      const sinceNs = run.sinceNs;
      run.step(value === this.#last[index], nowNs);
      if (wasFrozen && !run.isFrozen) log.add('frozen', sinceNs, nowNs, index);
      else if (!run.isFrozen && value !== 0 && run.isTooLong(nowNs) && run.isLively()) run.isFrozen = true;
      this.#last[index] = value;
    }
  }

  /** Takes a message that says nothing about a fault: what stands still, does so for a reason. */
  excuse(message: SourceMessage, nowNs: number): void {
    if (message.kind !== 'signal') return;
    for (const run of this.#runs) run.restart(nowNs);
    this.#last.set(message.values);
  }

  isRepeated(message: SourceMessage): boolean {
    return message.kind === 'signal' && message.values.every((value, index) => Object.is(value, this.#last[index]));
  }

  /** Signals that stand still now, by index, and since when. */
  frozenNow(): readonly FrozenNow[] {
    return this.#runs.flatMap(({ isFrozen, sinceNs }, signal) => (isFrozen ? [{ signal, sinceNs }] : []));
  }
}

/** Watches the bytes of an opaque channel, e.g. a camera that sends the same frame again and again. */
export class FrozenPayload {
  /** Sources may use a buffer again, so the last payload is kept in one of our own. */
  #last = Buffer.alloc(0);
  #length = 0;
  readonly #run = new Run();

  push(message: SourceMessage, nowNs: number, log: FindingLog): void {
    if (message.kind !== 'opaque') return;
    const wasFrozen = this.#run.isFrozen;
    const { sinceNs } = this.#run;
    const isRepeated = this.isRepeated(message);
    this.#run.step(isRepeated, nowNs);
    if (wasFrozen && !this.#run.isFrozen) log.add('frozen', sinceNs, nowNs);
    else if (this.#run.isTooLong(nowNs) && this.#run.isLively()) this.#run.isFrozen = true;
    if (isRepeated) return;
    if (message.data.length > this.#last.length) this.#last = Buffer.alloc(message.data.length);
    this.#last.set(message.data);
    this.#length = message.data.length;
  }

  excuse(_message: SourceMessage, nowNs: number): void {
    this.#run.restart(nowNs);
  }

  isRepeated(message: SourceMessage): boolean {
    if (message.kind !== 'opaque' || message.data.length !== this.#length) return false;
    return this.#last.compare(message.data, 0, this.#length, 0, this.#length) === 0;
  }

  frozenNow(): readonly FrozenNow[] {
    return this.#run.isFrozen ? [{ signal: undefined, sinceNs: this.#run.sinceNs }] : [];
  }
}
