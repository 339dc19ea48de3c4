/**
 * Why: how far the vectors of vehicles are from their recomputation, counted so that parts of a fleet are counted apart and
 * added up in any order: counts, largest differences, and the window of each largest difference.
 */
import { type FeatureSet, FleetError } from '@fleetloop/schemas';

/** Values of one attribute that are told apart; a fleet has more vehicles than a report has room for. */
export const SKEW_GROUPS_MAX = 2_000;
export const WHOLE = 'all';

/** A vector as a vehicle reported it; NaN where a feature was missing. */
export type LoggedVector = {
  readonly vehicle: string;
  /** Clocks of runs begin anew: a time says which window it is only within its session. */
  readonly session: string;
  readonly hardwareRevision: string;
  readonly variant: string;
  readonly windowStartNs: bigint;
  readonly windowEndNs: bigint;
  readonly values: readonly number[];
};

/**
 * What a vector was recomputed from. A recording shows what capture did to the inputs, too; the sampled inputs are those that the engine
 * had, so that what differs is the engine's.
 */
export type SkewSource = 'recording' | 'sample';

/** What became of one vector. `malformed`: it has another number of values than the set has features. */
export type SkewWindow = {
  readonly source: SkewSource;
  /** Undefined where nothing tells. */
  readonly firmware?: string;
  /** Version of the vehicle's engine, where it tells. */
  readonly engine?: number;
} & (
  | { readonly kind: 'uncovered' | 'malformed' | 'unmatched' }
  | {
      readonly kind: 'compared';
      /** Digest of the recording, or of the sample. */
      readonly evidence: string;
      /** By the batch engine. */
      readonly recomputed: readonly number[];
      /** By this version's streaming engine. */
      readonly streamed?: readonly number[];
    }
);

/** Vectors that a vehicle chose and sent without inputs: for want of room, or because their inputs alone would give another window. */
export type UnsentSamples = { readonly withheld: number; readonly incomparable: number };

export type SkewCounts = {
  /** Vectors by each source: one that is both sampled and recorded counts twice. */
  readonly logged: number;
  readonly compared: number;
  /** No recording has all samples that the window was computed from. */
  readonly uncovered: number;
  /** A recording covers it, and the batch engine gives no such window. */
  readonly unmatched: number;
  readonly malformed: number;
  /** Compared windows with at least one feature outside its tolerance. */
  readonly outside: number;
  /** Sampled and not sent: over the vehicle's budget, too large, redacted, or lost. */
  readonly withheld: number;
  /** Sampled, but its inputs alone would give another window. */
  readonly incomparable: number;
  /** Compared windows on which this version's two engines differ by more than the tolerance: the fault is not the vehicle's. */
  readonly enginesApart: number;
};

export type FeatureSkewTally = {
  readonly compared: number;
  readonly outside: number;
  /** Outside the set's tolerance, and inside the divergence that the feature declares. */
  readonly diverging: number;
  /** One side had a value and the other had none; such windows are outside. */
  readonly oneSided: number;
  readonly worstAbsolute: number;
  readonly worstRelative: number;
  readonly worst: SkewedWindow | null;
};

/** Where the difference is largest; null stands for a missing value. */
export type SkewedWindow = {
  readonly vehicle: string;
  readonly source: SkewSource;
  /** Digest of the recording, or of the sample. */
  readonly evidence: string;
  readonly windowStartNs: string;
  readonly logged: number | null;
  readonly recomputed: number | null;
};

export type GroupTally = { readonly counts: SkewCounts; readonly features: readonly FeatureSkewTally[] };
/** By group: `all`, or `source:<source>`, `vehicle:<id>`, `firmware:<version>`, `engine:<version>`, `hardwareRevision:<revision>`, `variant:<name>`. */
export type SkewTally = { readonly groups: Readonly<Record<string, GroupTally>> };

export const NO_COUNTS: SkewCounts = {
  logged: 0,
  compared: 0,
  uncovered: 0,
  unmatched: 0,
  malformed: 0,
  outside: 0,
  withheld: 0,
  incomparable: 0,
  enginesApart: 0,
};
const NO_FEATURE: FeatureSkewTally = {
  compared: 0,
  outside: 0,
  diverging: 0,
  oneSided: 0,
  worstAbsolute: 0,
  worstRelative: 0,
  worst: null,
};

/** Counts windows. Mutable while it counts; `tally` gives what was counted. `date`: the day on which divergences are to hold. */
export class SkewCounter {
  readonly #featureSet: FeatureSet;
  readonly #date: string;
  readonly #groups = new Map<string, GroupTally>();

  constructor(featureSet: FeatureSet, date: string) {
    this.#featureSet = featureSet;
    this.#date = date;
  }

  /** @throws FleetError FEATURE_LIMIT for too many different vehicles, firmwares and so on */
  add(logged: LoggedVector, window: SkewWindow): void {
    this.#addTo(groupsOf(logged, window), this.#one(logged, window));
  }

  /** Counts what a vehicle says that it has not sent. */
  addUnsent(logged: LoggedVector, window: SkewWindow, unsent: UnsentSamples): void {
    const total = unsent.withheld + unsent.incomparable;
    if (total === 0) return;
    const features = this.#featureSet.features.map(() => NO_FEATURE);
    this.#addTo(groupsOf(logged, window), { counts: { ...NO_COUNTS, ...unsent, logged: total }, features });
  }

  #addTo(groups: readonly string[], one: GroupTally): void {
    for (const group of groups) {
      const former = this.#groups.get(group);
      if (former === undefined && this.#groups.size === SKEW_GROUPS_MAX)
        throw new FleetError(
          'FEATURE_LIMIT',
          `more than ${SKEW_GROUPS_MAX} vehicles, firmwares and variants: name some vehicles`,
        );
      this.#groups.set(group, former === undefined ? one : addGroups(former, one));
    }
  }

  tally(): SkewTally {
    return { groups: Object.fromEntries(this.#groups) };
  }

  #one(logged: LoggedVector, window: SkewWindow): GroupTally {
    if (window.kind !== 'compared') {
      const counts = { ...NO_COUNTS, logged: 1, [window.kind]: 1 };
      return { counts, features: this.#featureSet.features.map(() => NO_FEATURE) };
    }
    const features = this.#featureSet.features.map((_, index) => this.#feature(index, logged, window));
    const outside = features.some((feature) => feature.outside > 0) ? 1 : 0;
    const enginesApart = this.#areApart(window) ? 1 : 0;
    return { counts: { ...NO_COUNTS, logged: 1, compared: 1, outside, enginesApart }, features };
  }

  #areApart({ recomputed, streamed }: Extract<SkewWindow, { readonly kind: 'compared' }>): boolean {
    const { absolute, relative } = this.#featureSet.tolerance;
    return (
      streamed?.some((value, index) => {
        const other = recomputed[index] ?? Number.NaN;
        if (Number.isNaN(value) || Number.isNaN(other)) return Number.isNaN(value) !== Number.isNaN(other);
        return Math.abs(value - other) > absolute + relative * Math.abs(other);
      }) ?? false
    );
  }

  #feature(
    index: number,
    { vehicle, windowStartNs, values }: LoggedVector,
    { source, evidence, recomputed: all }: Extract<SkewWindow, { readonly kind: 'compared' }>,
  ): FeatureSkewTally {
    const logged = values[index] ?? Number.NaN;
    const recomputed = all[index] ?? Number.NaN;
    if (logged === recomputed || (Number.isNaN(logged) && Number.isNaN(recomputed)))
      return { ...NO_FEATURE, compared: 1 };
    const absolute = Math.abs(logged - recomputed);
    const worst = {
      vehicle,
      source,
      evidence,
      windowStartNs: String(windowStartNs),
      logged: finite(logged),
      recomputed: finite(recomputed),
    };
    if (!Number.isFinite(absolute)) return { ...NO_FEATURE, compared: 1, outside: 1, oneSided: 1, worst };
    const own = this.#featureSet.features[index]?.tolerance;
    const within = (tolerance: { readonly absolute: number; readonly relative: number }): boolean =>
      absolute <= tolerance.absolute + tolerance.relative * Math.abs(recomputed);
    const isDiverging = !within(this.#featureSet.tolerance);
    const isInside = own !== undefined && isInForce(own, this.#date) ? within(own) : !isDiverging;
    return {
      compared: 1,
      outside: isInside ? 0 : 1,
      diverging: isInside && isDiverging ? 1 : 0,
      oneSided: 0,
      worstAbsolute: absolute,
      worstRelative: absolute / Math.max(Math.abs(logged), Math.abs(recomputed)),
      worst,
    };
  }
}

/** Whether a declared divergence still holds on a day (YYYY-MM-DD); the day that it names is its last. */
export function isInForce({ expires }: { readonly expires: string }, date: string): boolean {
  return expires >= date;
}

/** Adds tallies of one feature set; the order does not matter. */
export function addTallies(left: SkewTally, right: SkewTally): SkewTally {
  const groups = { ...left.groups };
  for (const [name, group] of Object.entries(right.groups)) {
    const former = groups[name];
    groups[name] = former === undefined ? group : addGroups(former, group);
  }
  return { groups };
}

function addGroups(left: GroupTally, right: GroupTally): GroupTally {
  return {
    counts: addCounts(left.counts, right.counts),
    features: left.features.map((feature, index) => addFeatures(feature, right.features[index] as FeatureSkewTally)),
  };
}

export function addCounts(left: SkewCounts, right: SkewCounts): SkewCounts {
  return {
    logged: left.logged + right.logged,
    compared: left.compared + right.compared,
    uncovered: left.uncovered + right.uncovered,
    unmatched: left.unmatched + right.unmatched,
    malformed: left.malformed + right.malformed,
    outside: left.outside + right.outside,
    withheld: left.withheld + right.withheld,
    incomparable: left.incomparable + right.incomparable,
    enginesApart: left.enginesApart + right.enginesApart,
  };
}

function addFeatures(left: FeatureSkewTally, right: FeatureSkewTally): FeatureSkewTally {
  return {
    compared: left.compared + right.compared,
    outside: left.outside + right.outside,
    diverging: left.diverging + right.diverging,
    oneSided: left.oneSided + right.oneSided,
    worstAbsolute: Math.max(left.worstAbsolute, right.worstAbsolute),
    worstRelative: Math.max(left.worstRelative, right.worstRelative),
    worst: worse(left.worst, right.worst),
  };
}

/** A missing value is worse than any difference; of equal ones the first by time, vehicle, evidence and values counts. */
function worse(left: SkewedWindow | null, right: SkewedWindow | null): SkewedWindow | null {
  if (left === null || right === null) return left ?? right;
  const [a, b] = [sizeOf(left), sizeOf(right)];
  if (a !== b) return a > b ? left : right;
  const order =
    Number(BigInt(left.windowStartNs) - BigInt(right.windowStartNs)) ||
    compareText(left.vehicle, right.vehicle) ||
    compareText(left.evidence, right.evidence) ||
    compareText(`${left.logged} ${left.recomputed}`, `${right.logged} ${right.recomputed}`);
  return order <= 0 ? left : right;
}

function sizeOf({ logged, recomputed }: SkewedWindow): number {
  return logged === null || recomputed === null ? Number.POSITIVE_INFINITY : Math.abs(logged - recomputed);
}

const compareText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

function groupsOf({ vehicle, hardwareRevision, variant }: LoggedVector, window: SkewWindow): readonly string[] {
  // Of a reported vector the recording alone tells which firmware it was.
  const { source, firmware = '', engine } = window;
  return [
    WHOLE,
    `source:${source}`,
    `vehicle:${vehicle}`,
    `firmware:${firmware || 'unknown'}`,
    ...(engine === undefined ? [] : [`engine:${engine}`]),
    `hardwareRevision:${hardwareRevision}`,
    `variant:${variant}`,
  ];
}
