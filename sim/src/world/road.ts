/** Keeps every vehicle of the fleet driving the same rotation of runs, so that vehicles can be compared with each other. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient, VehicleDetails } from '@fleetloop/control-plane';
import type { BorealtcRun } from '../recordings/recordings.ts';
import { runDrive } from './fleet-plan.ts';
import { waitUntil } from './wait-until.ts';
import type { VehicleProcess } from './vehicle-process.ts';

const POLL_INTERVAL_MS = 500;
const STOP_TIMEOUT_MS = 60_000;
/** Drives that each vehicle has ahead of it. */
const DRIVES_AHEAD = 2;
/** Drives start this far apart on the fleet's clock; a multiple of every hop in use. */
const SLOT_MS = 600_000;
const FIRST_START_MS = Date.UTC(2026, 0, 5);

/** Start of a slot on the fleet's clock. */
export const slotStart = (slot: number): string => new Date(FIRST_START_MS + slot * SLOT_MS).toISOString();

export type RoadOptions = {
  readonly vehicles: readonly VehicleProcess[];
  readonly api: ApiClient;
  readonly runs: readonly BorealtcRun[];
  /** Times real time. */
  readonly speed: number;
  /** Where on the fleet's clock this road begins, so that no two drives of a vehicle share their time. */
  readonly firstSlot: number;
};

/** Sessions that the agent has finished, from its reported state. */
async function sessionsDone(api: ApiClient, vehicleId: string): Promise<number> {
  const { reported } = await api.get<VehicleDetails>(`/v1/vehicles/${vehicleId}`);
  return reported?.source.sessionsDone ?? 0;
}

/** The road under the fleet; `stop` lets the vehicles finish what they have. */
export class Road {
  readonly #options: RoadOptions;
  readonly #controller = new AbortController();
  readonly #given = new Map<string, number>();
  readonly #base = new Map<string, number>();
  #work: Promise<void> = Promise.resolve();

  constructor(options: RoadOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    for (const vehicle of this.#options.vehicles) {
      this.#base.set(vehicle.plan.vehicleId, await sessionsDone(this.#options.api, vehicle.plan.vehicleId));
      this.#given.set(vehicle.plan.vehicleId, 0);
    }
    this.#work = this.#keepDriving();
  }

  /** Gives no more drives and waits until every vehicle has finished those that it has. */
  async stop(signal: AbortSignal): Promise<void> {
    this.#controller.abort();
    await this.#work;
    const { vehicles } = this.#options;
    await Promise.all(
      vehicles.map(async ({ plan }) =>
        waitUntil(async () => ((await this.#ahead(plan.vehicleId)) === 0 ? true : undefined), {
          what: `the last drives of ${plan.vehicleId}`,
          timeoutMs: STOP_TIMEOUT_MS,
          signal,
        }),
      ),
    );
  }

  async #keepDriving(): Promise<void> {
    while (!this.#controller.signal.aborted) {
      await Promise.all(this.#options.vehicles.map(async (vehicle) => this.#supply(vehicle)));
      await delay(POLL_INTERVAL_MS, undefined, { signal: this.#controller.signal }).catch(() => undefined);
    }
  }

  async #supply(vehicle: VehicleProcess): Promise<void> {
    const { vehicleId, hardwareRevision } = vehicle.plan;
    if ((await this.#ahead(vehicleId)) >= DRIVES_AHEAD) return;
    const given = this.#given.get(vehicleId) ?? 0;
    const { runs, speed } = this.#options;
    const run = runs[given % runs.length] as BorealtcRun;
    const startAt = slotStart(this.#options.firstSlot + given);
    await vehicle.drive([runDrive(run, hardwareRevision, { startAt, speed })]);
    this.#given.set(vehicleId, given + 1);
  }
  /** Drives that a vehicle has been given and has not finished. */
  async #ahead(vehicleId: string): Promise<number> {
    const done = (await sessionsDone(this.#options.api, vehicleId)) - (this.#base.get(vehicleId) ?? 0);
    return (this.#given.get(vehicleId) ?? 0) - done;
  }
}
