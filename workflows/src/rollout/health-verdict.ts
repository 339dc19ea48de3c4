/**
 * Why: whether a wave is healthy is decided from counts by fixed rules, never by confidence alone: a model can be sure and
 * wrong. The vehicles of a wave are compared with matched vehicles on the former model, per hardware revision. A rule fails
 * when its lower bound is over the limit, passes with enough windows at or below the limit, and is inconclusive else.
 */
import type { HealthFinding } from '@fleetloop/schemas';
import { type HealthRules, looksOf } from './health-rules.ts';
import {
  type Bounds,
  type Count,
  differenceBounds,
  type Mix,
  mixDistance,
  normalQuantile,
  shareBounds,
} from './share-bounds.ts';

/** Counts over the inference windows of some vehicles. */
export type WindowCounts = {
  readonly windows: number;
  /** Windows beyond the bundle's distanceP99. */
  readonly far: number;
  /** Windows over the bundle's latency budget. */
  readonly late: number;
  /** Windows whose output is none of the labels or whose confidence is no number. */
  readonly invalid: number;
  /** session -> output -> windows. */
  readonly outputs: Readonly<Record<string, Mix>>;
};

export type FeatureShift = {
  readonly name: string;
  /** Mean over windows of the feature's z-score against the training distribution. */
  readonly meanZ: number;
};

/** One hardware revision of a wave. */
export type ExposureGroup = {
  readonly hardwareRevision: string;
  readonly vehicles: readonly string[];
  readonly vehicleWindows: Readonly<Record<string, number>>;
  readonly treated: WindowCounts;
  /** `vehicles`: others on the former model in the same time; `before`: the same vehicles before; `none`: no former model. */
  readonly controlKind: 'vehicles' | 'before' | 'none';
  readonly control: WindowCounts;
  /** The feature that is furthest from training. */
  readonly shift: FeatureShift | null;
};

export type Exposure = { readonly groups: readonly ExposureGroup[] };
export type HealthVerdict = 'passed' | 'failed' | 'inconclusive';
export type HealthJudgement = { readonly verdict: HealthVerdict; readonly findings: readonly HealthFinding[] };

/** Judges one look at a wave. The chance of a false alarm is shared between all looks that the rules allow. */
export function judgeHealth(exposure: Exposure, rules: HealthRules): HealthJudgement {
  if (exposure.groups.length === 0) return { verdict: 'inconclusive', findings: [] };
  const findings = exposure.groups.flatMap((group) => judgeGroup(group, rules));
  return { verdict: worstOf(findings), findings };
}

/** The worst verdict: failed before inconclusive before passed. Nothing looked at is inconclusive. */
export function worstOf(findings: readonly HealthFinding[]): HealthVerdict {
  if (findings.length === 0) return 'inconclusive';
  if (findings.some((finding) => finding.verdict === 'failed')) return 'failed';
  return findings.some((finding) => finding.verdict === 'inconclusive') ? 'inconclusive' : 'passed';
}

function judgeGroup(group: ExposureGroup, rules: HealthRules): readonly HealthFinding[] {
  const chance = rules.falseAlarm / looksOf(rules);
  const context = { group, rules, chance, quantile: normalQuantile(chance) };
  const mix = group.controlKind === 'none' ? [] : [judgeOutputMix(context)];
  return [judgeExposure(context), ...mix, judgeDistance(context), judgeLatency(context), judgeOutputs(context)];
}

type Context = {
  readonly group: ExposureGroup;
  readonly rules: HealthRules;
  readonly chance: number;
  readonly quantile: number;
};

function judgeExposure({ group, rules }: Context): HealthFinding {
  const quiet = group.vehicles.filter((vehicle) => (group.vehicleWindows[vehicle] ?? 0) < rules.vehicleWindowsMin);
  const enough = group.treated.windows >= rules.windowsMin && quiet.length === 0;
  const shortOf = quiet.length === 0 ? '' : `; fewer than ${rules.vehicleWindowsMin} of ${quiet.join(', ')}`;
  return finding(group, {
    rule: 'exposure',
    verdict: enough ? 'passed' : 'inconclusive',
    value: group.treated.windows,
    limit: rules.windowsMin,
    message: `${group.treated.windows} windows of ${group.vehicles.length} vehicles, at least ${rules.windowsMin} are needed${shortOf}`,
  });
}

function judgeOutputMix({ group, rules, chance }: Context): HealthFinding {
  const { treated, control, matched } = matchedMixes(group, rules);
  const bounds = mixDistance(treated, control, { designEffect: rules.designEffect, chance });
  const enough = count(treated) >= rules.windowsMin && count(control) >= rules.controlWindowsMin;
  const against = group.controlKind === 'before' ? 'the same vehicles before' : 'matched vehicles on the former model';
  const most = Object.entries(treated).sort((left, right) => right[1] - left[1])[0];
  const lead =
    most === undefined
      ? ''
      : `; ${((100 * most[1]) / count(treated)).toFixed(0)} % ${most[0]} now, ${share(control, most[0])} there`;
  return finding(group, {
    rule: 'output-mix',
    // Outputs on other roads cannot convict a model, they can only fail to clear it.
    verdict: decide(matched ? bounds : { ...bounds, lower: 0 }, rules.outputMixMax, enough),
    value: bounds.value,
    limit: rules.outputMixMax,
    message: `outputs differ from ${against} by ${describe(bounds)} (total variation${matched ? ', same sessions' : ''})${lead}`,
  });
}

function judgeDistance({ group, rules, quantile }: Context): HealthFinding {
  const bounds = compare(group, 'far', { rules, quantile, nominal: 0.01 });
  const shift = group.shift === null ? '' : `; ${group.shift.name} is furthest, mean z ${group.shift.meanZ.toFixed(1)}`;
  return finding(group, {
    rule: 'feature-distance',
    verdict: decide(bounds, rules.farShareMax, enoughWindows(group, rules)),
    value: bounds.value,
    limit: rules.farShareMax,
    message: `${percent(group.treated.far, group.treated.windows)} of windows are beyond the training distribution's 99th percentile, ${describe(bounds)} over control${shift}`,
    ...(group.shift === null ? {} : { feature: group.shift.name }),
  });
}

function judgeLatency({ group, rules, quantile }: Context): HealthFinding {
  const bounds = compare(group, 'late', { rules, quantile, nominal: 0 });
  return finding(group, {
    rule: 'deadline-misses',
    verdict: decide(bounds, rules.lateShareMax, enoughWindows(group, rules)),
    value: bounds.value,
    limit: rules.lateShareMax,
    message: `${percent(group.treated.late, group.treated.windows)} of windows are over the latency budget, ${describe(bounds)} over control`,
  });
}

function judgeOutputs({ group, rules, quantile }: Context): HealthFinding {
  const bounds = shareBounds(effective(group.treated.invalid, group.treated.windows, rules), quantile);
  return finding(group, {
    rule: 'invalid-outputs',
    verdict: decide(bounds, rules.invalidShareMax, enoughWindows(group, rules)),
    value: bounds.value,
    limit: rules.invalidShareMax,
    message: `${percent(group.treated.invalid, group.treated.windows)} of windows have no valid output`,
  });
}

/** Over the limit beyond doubt fails; at or below it with enough windows passes; else nobody knows yet. */
function decide(bounds: Bounds, limit: number, enough: boolean): HealthVerdict {
  if (bounds.lower > limit) return 'failed';
  return enough && bounds.value <= limit ? 'passed' : 'inconclusive';
}

function compare(
  group: ExposureGroup,
  what: 'far' | 'late',
  options: { readonly rules: HealthRules; readonly quantile: number; readonly nominal: number },
): Bounds {
  const treated = effective(group.treated[what], group.treated.windows, options.rules);
  if (group.controlKind !== 'none' && group.control.windows > 0) {
    return differenceBounds(
      treated,
      effective(group.control[what], group.control.windows, options.rules),
      options.quantile,
    );
  }
  const alone = shareBounds(treated, options.quantile);
  return {
    value: alone.value - options.nominal,
    lower: alone.lower - options.nominal,
    upper: alone.upper - options.nominal,
  };
}

function effective(hits: number, of: number, rules: HealthRules): Count {
  return { hits: hits / rules.designEffect, of: of / rules.designEffect };
}

function enoughWindows(group: ExposureGroup, rules: HealthRules): boolean {
  return group.treated.windows >= rules.windowsMin;
}

/**
 * Outputs depend on the road, so sessions that both sides drove are compared where they hold enough windows: the control's
 * mix of each session is weighted by how often the treated vehicles drove it (direct standardisation). Else all sessions.
 */
function matchedMixes(
  group: ExposureGroup,
  rules: HealthRules,
): { readonly treated: Mix; readonly control: Mix; readonly matched: boolean } {
  const shared = Object.keys(group.treated.outputs).filter((session) => session in group.control.outputs);
  const treated = sum(shared.map((session) => group.treated.outputs[session] ?? {}));
  const windows = count(sum(shared.map((session) => group.control.outputs[session] ?? {})));
  if (count(treated) < rules.windowsMin || windows < rules.controlWindowsMin) {
    const all = (counts: WindowCounts): Mix => sum(Object.values(counts.outputs));
    return { treated: all(group.treated), control: all(group.control), matched: false };
  }
  const weighted = shared.map((session) => {
    const mix = group.control.outputs[session] ?? {};
    return scale(mix, count(group.treated.outputs[session] ?? {}) / Math.max(1, count(mix)));
  });
  // Back to the number of windows that were really seen: the bound must not gain from the weights.
  return { treated, control: scale(sum(weighted), windows / count(treated)), matched: true };
}

function scale(mix: Mix, factor: number): Mix {
  return Object.fromEntries(Object.entries(mix).map(([output, windows]) => [output, windows * factor]));
}

function sum(mixes: readonly Mix[]): Mix {
  const total: Record<string, number> = {};
  for (const mix of mixes)
    for (const [output, windows] of Object.entries(mix)) total[output] = (total[output] ?? 0) + windows;
  return total;
}

const count = (mix: Mix): number => Object.values(mix).reduce((total, windows) => total + windows, 0);
const share = (mix: Mix, output: string): string => percent(mix[output] ?? 0, count(mix));
const percent = (hits: number, of: number): string => (of === 0 ? 'none' : `${((100 * hits) / of).toFixed(0)} %`);
const describe = (bounds: Bounds): string => `${bounds.value.toFixed(2)} (at least ${bounds.lower.toFixed(2)})`;

type Part = Pick<HealthFinding, 'rule' | 'verdict' | 'value' | 'limit' | 'message' | 'feature'>;

function finding(group: ExposureGroup, part: Part): HealthFinding {
  return {
    ...part,
    hardwareRevision: group.hardwareRevision,
    windows: group.treated.windows,
    controlWindows: group.controlKind === 'none' ? 0 : group.control.windows,
    vehicles: [...group.vehicles],
  };
}
