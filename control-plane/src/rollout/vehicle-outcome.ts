/** Why: what a vehicle's report means for the target that it was given, as a pure reading. */
import type { ReportedState } from '@fleetloop/schemas';
import type { AwaitedVehicle, VehicleOutcome } from '@fleetloop/workflows';

/** The outcome that a report shows, or undefined while the vehicle is still at it. */
export function outcomeOf(awaited: AwaitedVehicle, report: ReportedState | undefined): VehicleOutcome | undefined {
  if (report === undefined) return undefined;
  const { vehicleId, bundle, counter } = awaited;
  const { model } = report;
  if (model.refused !== null && model.refused.counter >= counter) {
    return { vehicleId, state: 'refused', reason: `${model.refused.code}: ${model.refused.message}` };
  }
  if (model.counter < counter) return undefined;
  if (bundle === null)
    return model.activeSlot === null ? { vehicleId, state: 'confirmed', reason: 'no model is active' } : undefined;
  const reverted = model.slots.find((slot) => slot.bundle === bundle && slot.state === 'reverted');
  if (reverted !== undefined) return { vehicleId, state: 'reverted', reason: reverted.reason };
  const active = model.slots.find((slot) => slot.slot === model.activeSlot);
  if (active?.bundle !== bundle || active.state !== 'confirmed') return undefined;
  return {
    vehicleId,
    state: 'confirmed',
    reason: `slot ${active.slot}, ${active.variant ?? 'no variant'}: ${active.reason}`,
  };
}

/** The bundle that a vehicle runs and has confirmed; null where it runs none. */
export function activeBundle(report: ReportedState | undefined): string | null {
  const active = report?.model.slots.find((slot) => slot.slot === report.model.activeSlot);
  return active?.state === 'confirmed' ? active.bundle : null;
}
