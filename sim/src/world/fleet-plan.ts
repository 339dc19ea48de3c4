/** Who drives what: the virtual fleet's vehicles, their hardware, and how the real recordings are shared among them. */
import { statSync } from 'node:fs';
import {
  BOREALTC_MAPPINGS,
  blackboxDrives,
  type BorealtcRun,
  borealtcRuns,
  commaSegment,
  type RecordedDrive,
} from '../recordings/recordings.ts';

/** Hardware revision B has its IMU mounted on its side. */
export type HardwareRevision = 'A' | 'B';

export type VehiclePlan = {
  readonly vehicleId: string;
  readonly hardwareRevision: HardwareRevision;
  readonly place: string;
};

/** One drive for the agent's playlist. */
export type Drive = {
  readonly mapping: string;
  readonly files: readonly string[];
  readonly speed: number;
  readonly startAt?: string;
};

export const FLEET: readonly VehiclePlan[] = [
  { vehicleId: 'vehicle-1', hardwareRevision: 'A', place: 'Ames IA' },
  { vehicleId: 'vehicle-2', hardwareRevision: 'A', place: 'Ames IA' },
  { vehicleId: 'vehicle-3', hardwareRevision: 'A', place: 'Omaha NE' },
  { vehicleId: 'vehicle-4', hardwareRevision: 'B', place: 'Omaha NE' },
  { vehicleId: 'vehicle-5', hardwareRevision: 'B', place: 'Quebec' },
  { vehicleId: 'vehicle-6', hardwareRevision: 'B', place: 'Quebec' },
];

/** The vehicle that replays the highway segment with raw CAN. */
export const CAN_VEHICLE: VehiclePlan = { vehicleId: 'vehicle-can', hardwareRevision: 'A', place: 'I-280, CA' };

/** As fast as the agent can. */
const AS_FAST_AS_POSSIBLE = 0;

const sizeOf = (drive: RecordedDrive): number => statSync(drive.sourcePath).size;

/** The 18 drives dealt out to `count` vehicles, largest first onto the least loaded vehicle. */
export function shareDrives(count: number): readonly (readonly Drive[])[] {
  const shares = Array.from({ length: count }, () => ({ bytes: 0, drives: [] as Drive[] }));
  for (const drive of blackboxDrives().toSorted((left, right) => sizeOf(right) - sizeOf(left))) {
    const least = shares.reduce((best, share) => (share.bytes < best.bytes ? share : best));
    least.bytes += sizeOf(drive);
    least.drives.push(asDrive(drive));
  }
  return shares.map((share) => share.drives);
}

/** The highway segment with raw CAN. */
export const commaDrive = (): Drive => asDrive(commaSegment());

function asDrive(drive: RecordedDrive): Drive {
  return { mapping: drive.mappingPath, files: [drive.sourcePath], speed: AS_FAST_AS_POSSIBLE };
}

/** A run as a vehicle of that hardware revision logs it; `startAt` makes repeated drives distinct in time. */
export function runDrive(
  run: BorealtcRun,
  revision: HardwareRevision,
  options: { readonly startAt: string; readonly speed: number },
): Drive {
  const mapping = revision === 'A' ? BOREALTC_MAPPINGS.asRecorded : BOREALTC_MAPPINGS.revisionB;
  return { mapping, files: [run.sourcePath], ...options };
}

/** Runs in rotation over the terrains, short ones first, so that every stretch of road sees all of them. */
export function terrainRotation(splits: readonly BorealtcRun['split'][]): readonly BorealtcRun[] {
  const byTerrain = Map.groupBy(
    borealtcRuns().filter((run) => splits.includes(run.split)),
    (run) => run.terrain,
  );
  const queues = [...byTerrain.values()].map((runs) => runs.toSorted((left, right) => sizeOf(left) - sizeOf(right)));
  const rounds = Math.max(...queues.map((queue) => queue.length));
  return Array.from({ length: rounds }, (_, round) =>
    queues.map((queue) => queue[round % queue.length] as BorealtcRun),
  ).flat();
}
