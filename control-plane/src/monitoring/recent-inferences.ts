/** The last inferences of each vehicle in memory, bounded per vehicle: health is judged on these within a second. */
import type { InferenceWindow } from '../ports.ts';

export type InferenceFilter = {
  readonly bundle?: string;
  readonly vehicles?: readonly string[];
  readonly role?: 'active' | 'shadow';
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly limit?: number;
};

export class RecentInferences {
  readonly #perVehicleMax: number;
  /** In order of arrival; may hold up to twice the maximum before the older half is cut off. */
  readonly #byVehicle = new Map<string, InferenceWindow[]>();

  constructor(perVehicleMax: number) {
    this.#perVehicleMax = perVehicleMax;
  }

  add(window: InferenceWindow): void {
    const windows = this.#byVehicle.get(window.vehicleId) ?? [];
    windows.push(window);
    if (windows.length > 2 * this.#perVehicleMax) windows.splice(0, windows.length - this.#perVehicleMax);
    this.#byVehicle.set(window.vehicleId, windows);
  }

  find(vehicleId: string, sequence: number): InferenceWindow | undefined {
    return this.#byVehicle.get(vehicleId)?.findLast((window) => window.sequence === sequence);
  }

  /** Matches in order of arrival, the newest `limit` of them. */
  select(filter: InferenceFilter): readonly InferenceWindow[] {
    const vehicles = filter.vehicles ?? [...this.#byVehicle.keys()];
    const matches = vehicles.flatMap((vehicle) =>
      (this.#byVehicle.get(vehicle) ?? []).filter((window) => isMatch(window, filter)),
    );
    matches.sort((a, b) => a.receivedAtMs - b.receivedAtMs);
    return filter.limit === undefined ? matches : matches.slice(-filter.limit);
  }
}

function isMatch(window: InferenceWindow, filter: InferenceFilter): boolean {
  if (filter.bundle !== undefined && window.bundle !== filter.bundle) return false;
  if (filter.role !== undefined && window.role !== filter.role) return false;
  if (filter.sinceMs !== undefined && window.receivedAtMs < filter.sinceMs) return false;
  return filter.untilMs === undefined || window.receivedAtMs <= filter.untilMs;
}
