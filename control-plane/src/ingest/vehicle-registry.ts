/** Knows whom ingest may believe: asks the ledger itself, or whatever stands in for it in a region, and remembers for a moment. */
import type { LedgerEntry } from '@fleetloop/schemas';
import type { Ledger } from '../ports.ts';
import { lastEntryOf } from './facts.ts';
import type { EnrolledVehicle, VehicleRegistry } from './ports.ts';

/** Vehicles remembered; the oldest is forgotten and looked up again. */
export const VEHICLES_REMEMBERED_MAX = 10_000;
/** How long what the source said is believed without asking again: a revocation takes effect within it, ms. */
export const VEHICLE_REMEMBERED_MS = 2_000;

type Remembered = { readonly vehicle: EnrolledVehicle; readonly untilMs: number };

/** Asks the source itself. */
export type VehicleLookup = (vehicleId: string) => Promise<EnrolledVehicle | undefined>;

export class RememberingRegistry implements VehicleRegistry {
  readonly #lookup: VehicleLookup;
  readonly #nowMs: () => number;
  readonly #known = new Map<string, Remembered>();

  /** `nowMs` is monotonic. */
  constructor(lookup: VehicleLookup, nowMs: () => number) {
    this.#lookup = lookup;
    this.#nowMs = nowMs;
  }

  async find(vehicleId: string, { isFresh = false } = {}): Promise<EnrolledVehicle | undefined> {
    const known = isFresh ? undefined : this.#known.get(vehicleId);
    if (known !== undefined && known.untilMs > this.#nowMs()) return known.vehicle;
    // Absence is not remembered: a vehicle may enrol at any moment.
    const vehicle = await this.#lookup(vehicleId);
    if (vehicle === undefined) return undefined;
    this.#known.delete(vehicleId);
    if (this.#known.size >= VEHICLES_REMEMBERED_MAX) this.#forgetOldest();
    this.#known.set(vehicleId, { vehicle, untilMs: this.#nowMs() + VEHICLE_REMEMBERED_MS });
    return vehicle;
  }

  #forgetOldest(): void {
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }
}

/** The ledger as the source: no projection is needed to know a vehicle. */
export function inLedger(ledger: Ledger): VehicleLookup {
  return async (vehicleId) => {
    const stored = await lastEntryOf(ledger, `vehicle.${vehicleId}`);
    return stored === undefined ? undefined : vehicleOf(stored.entry);
  };
}

/** What the newest fact about a vehicle says of its key. */
export function vehicleOf(entry: LedgerEntry): EnrolledVehicle | undefined {
  switch (entry.kind) {
    case 'vehicle.enrolled':
    case 'vehicle.renewed':
    case 'vehicle.revoked': {
      const { vehicleId, publicKey } = entry.body;
      return { vehicleId, publicKey, isRevoked: entry.kind === 'vehicle.revoked' };
    }
    default:
      return undefined;
  }
}
