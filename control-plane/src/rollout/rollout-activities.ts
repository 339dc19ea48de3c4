/** Why: what a rollout touches: desired and reported states of vehicles, and inference telemetry. */
import { FleetError, type BundleManifest } from '@fleetloop/schemas';
import {
  type AwaitedVehicle,
  checkWaves,
  type RolloutActivities,
  type RolloutPlan,
  type VehicleOutcome,
} from '@fleetloop/workflows';
import { BundleManifests } from '../package/bundle-manifests.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { findModelVersion } from '../training/registered.ts';
import { guardActivities, withHeartbeat } from '../workflow/activity-guard.ts';
import { pause } from '../workflow/pause.ts';
import { boundedMap } from '../workflow/bounded-map.ts';
import { exposureOf } from './exposure.ts';
import { activeBundle, outcomeOf } from './vehicle-outcome.ts';

const VEHICLES_AT_ONCE = 16;
const REPORT_POLL_MS = 250;
/** Newest windows that one look at health takes into account, per side. */
const WINDOWS_MAX = 20_000;

type Context = Pick<ControlPlane, 'projection' | 'blobs' | 'vehicles' | 'telemetry'>;

export function createRolloutActivities(context: Context): RolloutActivities {
  const manifests = new BundleManifests(context.blobs);
  return guardActivities<RolloutActivities>({
    prepareRollout: async ({ model, version, waves }) => {
      checkWaves(waves);
      const registered = await findModelVersion(context.projection, model, version);
      const bundle = await approvedBundle(context, model, version);
      return { bundle, model: registered.model, ...(await fleetBefore(context, waves.flat())) };
    },
    assignVehicles: async ({ assignments, rolloutId, reason }) => {
      const counters = await boundedMap(assignments, VEHICLES_AT_ONCE, async ({ vehicleId, bundle, shadow }) => {
        const targets = {
          vehicleId,
          bundle: bundle as never,
          shadow: shadow as never,
          rolloutId,
          reason: reason.slice(0, 1_000),
        };
        return [vehicleId, await context.vehicles.assign(targets)] as const;
      });
      return Object.fromEntries(counters);
    },
    awaitVehicles: async ({ vehicles, untilMs }) =>
      withHeartbeat(async ({ signal }) => awaitReports(context, { vehicles, untilMs }, signal)),
    async collectExposure({ plan, treated, sinceMs }) {
      const { telemetry } = context;
      const others = await othersThan(context, [...treated]);
      const base = { role: 'active', limit: WINDOWS_MAX } as const;
      const now = await telemetry.inferences({ ...base, bundle: plan.bundle, vehicles: treated, sinceMs });
      const beside = others.length === 0 ? [] : await telemetry.inferences({ ...base, vehicles: others, sinceMs });
      const before = await telemetry.inferences({ ...base, vehicles: treated, untilMs: sinceMs });
      const known = await manifestsOf(manifests, [plan.bundle, ...Object.values(plan.former)]);
      return exposureOf({ plan, treated, now, beside, before, manifests: known });
    },
  });
}

/** The bundle of the newest promotion of a model version that somebody approved. @throws FleetError ROLLOUT_NOT_APPROVED */
async function approvedBundle({ projection }: Context, model: string, version: number): Promise<string> {
  const approved = new Set((await projection.facts('promotion.approved')).map(({ body }) => body.promotionId));
  const built = (await projection.facts('bundle.built')).findLast(
    ({ body }) => body.modelName === model && body.modelVersion === version && approved.has(body.promotion),
  );
  if (built !== undefined) return built.body.bundle;
  throw new FleetError(
    'ROLLOUT_NOT_APPROVED',
    `${model}@${version} has no approved promotion with a bundle: propose it and have it approved`,
  );
}

type FleetBefore = Pick<RolloutPlan, 'former' | 'formerBundle' | 'hardware'>;

/** What each vehicle is and runs now. @throws FleetError ROLLOUT_INVALID for a vehicle that is not enrolled */
async function fleetBefore(context: Context, vehicles: readonly string[]): Promise<FleetBefore> {
  const revisions = new Map(
    (await context.projection.facts('vehicle.enrolled')).map(({ body }) => [body.vehicleId, body.hardwareRevision]),
  );
  const unknown = vehicles.filter((vehicle) => !revisions.has(vehicle));
  if (unknown.length > 0)
    throw new FleetError(
      'ROLLOUT_INVALID',
      `the rollout names vehicles that are not enrolled: ${unknown.slice(0, 10).join(', ')}`,
    );
  const active = await boundedMap(vehicles, VEHICLES_AT_ONCE, async (vehicle) =>
    activeBundle(await context.vehicles.reported(vehicle)),
  );
  const former = Object.fromEntries(vehicles.map((vehicle, index) => [vehicle, active[index] ?? null]));
  const hardware = Object.fromEntries(vehicles.map((vehicle) => [vehicle, revisions.get(vehicle) ?? '']));
  return { former, formerBundle: mostFrequent(active), hardware };
}

function mostFrequent(bundles: readonly (string | null)[]): string | null {
  const counts = new Map<string, number>();
  for (const bundle of bundles) if (bundle !== null) counts.set(bundle, (counts.get(bundle) ?? 0) + 1);
  return [...counts.entries()].sort((left, right) => right[1] - left[1])[0]?.[0] ?? null;
}

type Awaited = { readonly vehicles: readonly AwaitedVehicle[]; readonly untilMs: number };

async function awaitReports(
  context: Context,
  awaited: Awaited,
  signal: AbortSignal,
): Promise<readonly VehicleOutcome[]> {
  const outcomes = new Map<string, VehicleOutcome>();
  for (;;) {
    const open = awaited.vehicles.filter((vehicle) => !outcomes.has(vehicle.vehicleId));
    const found = await boundedMap(open, VEHICLES_AT_ONCE, async (vehicle) =>
      outcomeOf(vehicle, await context.vehicles.reported(vehicle.vehicleId)),
    );
    for (const outcome of found) if (outcome !== undefined) outcomes.set(outcome.vehicleId, outcome);
    if (outcomes.size === awaited.vehicles.length || Date.now() >= awaited.untilMs) break;
    await pause(REPORT_POLL_MS, signal);
  }
  const silence = `no report for the target until ${new Date(awaited.untilMs).toISOString()}`;
  return awaited.vehicles.map(
    (vehicle) => outcomes.get(vehicle.vehicleId) ?? { vehicleId: vehicle.vehicleId, state: 'silent', reason: silence },
  );
}

async function othersThan({ projection }: Context, treated: readonly string[]): Promise<readonly string[]> {
  const enrolled = (await projection.facts('vehicle.enrolled')).map(({ body }) => body.vehicleId);
  return enrolled.filter((vehicle) => !treated.includes(vehicle));
}

async function manifestsOf(
  manifests: BundleManifests,
  bundles: readonly (string | null)[],
): Promise<ReadonlyMap<string, BundleManifest>> {
  const known = new Map<string, BundleManifest>();
  for (const bundle of new Set(bundles)) if (bundle !== null) known.set(bundle, await manifests.get(bundle));
  return known;
}
