/** Looks vehicles up in the ledger itself, so that ingest needs no projection to know whom it may believe. */
import type { Ledger } from '../ports.ts';
import { lastEntryOf } from './facts.ts';
import type { EnrolledVehicle, VehicleRegistry } from './ports.ts';

/** Vehicles remembered; the oldest is forgotten and looked up again. */
export const VEHICLES_REMEMBERED_MAX = 10_000;

export class LedgerVehicleRegistry implements VehicleRegistry {
  readonly #ledger: Ledger;
  readonly #known = new Map<string, EnrolledVehicle>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  async find(vehicleId: string): Promise<EnrolledVehicle | undefined> {
    const known = this.#known.get(vehicleId);
    if (known !== undefined) return known;
    const stored = await lastEntryOf(this.#ledger, `vehicle.${vehicleId}`);
    // Absence is not remembered: a vehicle may enrol at any moment. Its key never changes after that.
    if (stored?.entry.kind !== 'vehicle.enrolled') return undefined;
    const vehicle = { vehicleId, publicKey: stored.entry.body.publicKey };
    if (this.#known.size >= VEHICLES_REMEMBERED_MAX) this.#forgetOldest();
    this.#known.set(vehicleId, vehicle);
    return vehicle;
  }

  #forgetOldest(): void {
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }
}
