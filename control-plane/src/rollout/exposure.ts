/** Why: windows of inferences become counts per hardware revision, the new model's beside the former's, before anything is judged. */
import type { BundleManifest } from '@fleetloop/schemas';
import type { Exposure, ExposureGroup, FeatureShift, RolloutPlan, WindowCounts } from '@fleetloop/workflows';
import type { InferenceWindow } from '../ports.ts';

export type ExposureWindows = {
  readonly plan: RolloutPlan;
  readonly treated: readonly string[];
  /** Active windows of the new bundle on treated vehicles since they confirmed it. */
  readonly now: readonly InferenceWindow[];
  /** Active windows of former bundles in the same time on vehicles that are not treated. */
  readonly beside: readonly InferenceWindow[];
  /** Active windows of former bundles on treated vehicles before. */
  readonly before: readonly InferenceWindow[];
  readonly manifests: ReadonlyMap<string, BundleManifest>;
};

/** One group per hardware revision of the treated vehicles. */
export function exposureOf(windows: ExposureWindows): Exposure {
  const revisions = [...new Set(windows.treated.map((vehicle) => windows.plan.hardware[vehicle] ?? ''))].sort();
  return { groups: revisions.map((revision) => groupOf(revision, windows)) };
}

function groupOf(revision: string, windows: ExposureWindows): ExposureGroup {
  const { plan, manifests } = windows;
  const vehicles = windows.treated.filter((vehicle) => (plan.hardware[vehicle] ?? '') === revision);
  const mine = windows.now.filter((window) => vehicles.includes(window.vehicleId));
  const former = new Set(
    vehicles.map((vehicle) => plan.former[vehicle]).filter((bundle) => typeof bundle === 'string'),
  );
  const beside = windows.beside.filter((window) => window.hardwareRevision === revision && former.has(window.bundle));
  const before = windows.before.filter((window) => vehicles.includes(window.vehicleId) && former.has(window.bundle));
  const { controlKind, control } = chooseControl(mine, beside, before);
  const vehicleWindows = Object.fromEntries(
    vehicles.map((vehicle) => [vehicle, mine.filter((window) => window.vehicleId === vehicle).length]),
  );
  const manifest = manifests.get(plan.bundle);
  return {
    hardwareRevision: revision,
    vehicles,
    vehicleWindows,
    treated: countWindows(mine, manifests),
    controlKind,
    control: countWindows(control, manifests),
    shift: manifest === undefined ? null : furthestFeature(mine, manifest),
  };
}

type Control = {
  readonly controlKind: ExposureGroup['controlKind'];
  readonly control: readonly InferenceWindow[];
};

/** Others in the same time, or the same vehicles before: who drove the same sessions comes first, because outputs depend on the road. */
function chooseControl(
  mine: readonly InferenceWindow[],
  beside: readonly InferenceWindow[],
  before: readonly InferenceWindow[],
): Control {
  const sessions = new Set(mine.map((window) => window.session));
  const isMatched = (windows: readonly InferenceWindow[]): boolean =>
    windows.some(({ session }) => sessions.has(session));
  const others: Control = { controlKind: 'vehicles', control: beside };
  const same: Control = { controlKind: 'before', control: before };
  if (isMatched(beside)) return others;
  if (isMatched(before)) return same;
  if (beside.length > 0) return others;
  return before.length > 0 ? same : { controlKind: 'none', control: [] };
}

/** Counts windows against the limits of their own bundle; a bundle nobody knows counts as far, late and invalid. */
export function countWindows(
  windows: readonly InferenceWindow[],
  manifests: ReadonlyMap<string, BundleManifest>,
): WindowCounts {
  const counts = { windows: windows.length, far: 0, late: 0, invalid: 0 };
  const outputs: Record<string, Record<string, number>> = {};
  for (const window of windows) {
    const manifest = manifests.get(window.bundle);
    if (!(window.distance <= (manifest?.trainingDistribution.distanceP99 ?? -1))) counts.far += 1;
    if (!(window.latencyUs <= (manifest?.latencyBudgetMs ?? -1) * 1_000)) counts.late += 1;
    if (!hasValidOutput(window, manifest)) {
      counts.invalid += 1;
      // What is no answer of the model says nothing of its mix of answers.
      continue;
    }
    const session = (outputs[window.session] ??= {});
    session[window.output] = (session[window.output] ?? 0) + 1;
  }
  return { ...counts, outputs };
}

/** A fallback repeats an earlier output, so a model that never answers would look steady. */
function hasValidOutput(window: InferenceWindow, manifest: BundleManifest | undefined): boolean {
  return !window.fallback && Number.isFinite(window.confidence) && manifest?.labels.includes(window.output) === true;
}

/** The feature whose mean over the windows lies most standard deviations from its mean in training. */
export function furthestFeature(windows: readonly InferenceWindow[], manifest: BundleManifest): FeatureShift | null {
  const { mean, std } = manifest.trainingDistribution;
  const whole = windows.filter((window) => window.features.length === mean.length);
  let furthest: FeatureShift | null = null;
  for (const [index, feature] of manifest.featureSet.features.entries()) {
    const sum = whole.reduce(
      (total, window) => total + ((window.features[index] ?? 0) - (mean[index] ?? 0)) / (std[index] ?? 1),
      0,
    );
    const meanZ = whole.length === 0 ? 0 : sum / whole.length;
    if (whole.length > 0 && (furthest === null || Math.abs(meanZ) > Math.abs(furthest.meanZ)))
      furthest = { name: feature.name, meanZ };
  }
  return furthest;
}
