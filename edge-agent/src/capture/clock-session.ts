/**
 * The clock of a live session. It is the wall clock once, at the start, and from then on the monotonic clock: a step of the wall
 * clock changes no stamp and no decision. Both clocks are read together once a second, so that a recording can be put on
 * another time later and says which steps there were.
 */
import { CLOCK_SAMPLES_PER_RECORDING_MAX, type RecordingClock } from '@fleetloop/schemas';
import { evenlySpread } from './evenly-spread.ts';

export const SAMPLE_INTERVAL_MS = 1_000;
/** Samples kept; when they are full, every second one of the older half goes, so that the whole session stays covered. */
export const SAMPLES_MAX = 4_096;
export const STEPS_MAX = 256;
/** `Date.now` gives whole milliseconds. */
const WALL_RESOLUTION_NS = 1_000_000n;
/** A disciplined clock is slewed by 500 ppm at most; what differs by more than twice that, and this, was stepped. */
const STEP_NS_MIN = 10_000_000n;
const SLEW_PPM_MAX = 1_000n;

/** The two clocks of the machine. */
export interface ClockPair {
  /** Never goes back, ns since boot. */
  monotonicNs(): bigint;
  /** Wall clock, ns since the Unix epoch; may step. */
  wallNs(): bigint;
}

/** What the configuration knows of the wall clock; Node cannot ask the kernel for the error that NTP or PTP estimates. */
export type WallClockDeclaration = {
  /** What disciplines it: `ntp`, `ptp`, `gps`, `system`. */
  readonly source: string;
  /** How far it is from UTC at most, ns. */
  readonly uncertaintyNs: number;
};

type Sample = {
  readonly monotonicNs: bigint;
  readonly wallNs: bigint;
  readonly uncertaintyNs: bigint;
};
/** At a session time the wall clock was found to have moved. */
export type ClockStep = { readonly atNs: bigint; readonly byNs: bigint };

export class SessionClock {
  readonly #clocks: ClockPair;
  readonly #declaration: WallClockDeclaration;
  readonly #anchor: Sample;
  #samples: Sample[] = [];
  readonly #steps: ClockStep[] = [];
  #stepsSeen = 0;
  /** Asked for each message, changed by each sample. */
  #wallAheadNs = 0n;

  constructor(clocks: ClockPair, declaration: WallClockDeclaration) {
    this.#clocks = clocks;
    this.#declaration = declaration;
    this.#anchor = readBoth(clocks);
    this.#samples.push(this.#anchor);
  }

  /** Session time at the start; it was the wall clock's. */
  get startNs(): bigint {
    return this.#anchor.wallNs;
  }

  /** Steps seen, also those that are no longer kept. */
  get stepsSeen(): number {
    return this.#stepsSeen;
  }

  /** Session time now. Never goes back. */
  nowNs(): bigint {
    return this.at(this.#clocks.monotonicNs());
  }

  at(monotonicNs: bigint): bigint {
    return this.#anchor.wallNs + monotonicNs - this.#anchor.monotonicNs;
  }

  /** UTC = session time + this, by the wall clock as last read. */
  get wallAheadNs(): bigint {
    return this.#wallAheadNs;
  }

  /** How far session time plus `wallAheadNs` may be from UTC. */
  get wallUncertaintyNs(): bigint {
    return BigInt(this.#declaration.uncertaintyNs) + this.#latest.uncertaintyNs;
  }

  /** Reads both clocks; call it every `SAMPLE_INTERVAL_MS`. Returns the step of the wall clock since the last time, if there was one. */
  sample(): ClockStep | undefined {
    const last = this.#latest;
    const next = readBoth(this.#clocks);
    this.#samples.push(next);
    this.#wallAheadNs = this.#aheadOf(next);
    if (this.#samples.length > SAMPLES_MAX) this.#thinOut();
    const elapsedNs = next.monotonicNs - last.monotonicNs;
    const byNs = next.wallNs - last.wallNs - elapsedNs;
    const tolerated = STEP_NS_MIN + (elapsedNs * SLEW_PPM_MAX) / 1_000_000n + next.uncertaintyNs + last.uncertaintyNs;
    if (absolute(byNs) <= tolerated) return undefined;
    const step = { atNs: this.at(next.monotonicNs), byNs };
    this.#stepsSeen += 1;
    this.#steps.push(step);
    if (this.#steps.length > STEPS_MAX) this.#steps.shift();
    return step;
  }

  /**
   * What a recording of [startNs, endNs] says of its clock. `uncertaintyNs` is how far its times may be from UTC: the declared
   * error of the wall clock, the reading, and how far the wall clock has moved away from session time meanwhile.
   */
  between(startNs: bigint, endNs: bigint, sources: NonNullable<RecordingClock['sources']> = []): RecordingClock {
    const samples = this.#samplesOf(startNs, endNs);
    const steps = this.#steps.filter(({ atNs }) => atNs >= startNs && atNs <= endNs);
    let worstNs = 0n;
    for (const sample of samples) {
      const offNs = absolute(this.#aheadOf(sample)) + sample.uncertaintyNs;
      if (offNs > worstNs) worstNs = offNs;
    }
    const { source } = this.#declaration;
    return {
      source,
      uncertaintyNs: (worstNs + BigInt(this.#declaration.uncertaintyNs)).toString(),
      samples: samples.map((sample) => ({
        monotonicNs: sample.monotonicNs.toString(),
        wallNs: sample.wallNs.toString(),
        source,
        uncertaintyNs: sample.uncertaintyNs.toString(),
      })),
      ...(steps.length === 0
        ? {}
        : { steps: steps.map(({ atNs, byNs }) => ({ atNs: atNs.toString(), byNs: byNs.toString() })) }),
      ...(sources.length === 0 ? {} : { sources: [...sources] }),
    };
  }

  get #latest(): Sample {
    return this.#samples.at(-1) ?? this.#anchor;
  }

  #aheadOf(sample: Sample): bigint {
    return sample.wallNs - this.at(sample.monotonicNs);
  }

  /** The samples inside, and one on either side where there is one; thinned out evenly. */
  #samplesOf(startNs: bigint, endNs: bigint): readonly Sample[] {
    // From the end: what is asked for is nearly always what was just sampled.
    const before = this.#samples.findLastIndex((sample) => this.at(sample.monotonicNs) < startNs);
    const last = this.#samples.findLastIndex((sample) => this.at(sample.monotonicNs) <= endNs);
    return evenlySpread(this.#samples.slice(Math.max(0, before), last + 2), CLOCK_SAMPLES_PER_RECORDING_MAX);
  }

  #thinOut(): void {
    const half = SAMPLES_MAX / 2;
    this.#samples = this.#samples.filter((_, index) => index >= half || index % 2 === 0);
  }
}

/** The wall clock between two readings of the monotonic one; half of what lies between them is jitter. */
function readBoth(clocks: ClockPair): Sample {
  const before = clocks.monotonicNs();
  const wallNs = clocks.wallNs();
  const after = clocks.monotonicNs();
  const jitterNs = (after - before + 1n) / 2n;
  return { monotonicNs: before + (after - before) / 2n, wallNs, uncertaintyNs: jitterNs + WALL_RESOLUTION_NS };
}

const absolute = (value: bigint): bigint => (value < 0n ? -value : value);
