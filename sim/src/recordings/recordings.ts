// Why this file exists: demo, tests and benchmarks ask here which real drives there are, so that no path or list is repeated.
import { join } from 'node:path';
import { RECORDINGS_FOLDER } from './paths.ts';

/** One drive session that can be replayed: a file (or folder) and the mapping that explains it. */
export type RecordedDrive = {
  /** Session name that the mapping gives it. */
  readonly session: string;
  readonly sourcePath: string;
  readonly mappingPath: string;
};

/** The mappings of a borealtc run: as it was, and the two ways in which a vehicle of the fleet can differ from it. */
export const BOREALTC_MAPPINGS = {
  /** Hardware revision A: the IMU as it was mounted. */
  asRecorded: join(RECORDINGS_FOLDER, 'borealtc', 'mapping.json'),
  /** Hardware revision B: the IMU lies on its side, y' = -z and z' = y for acceleration and angular velocity. */
  revisionB: join(RECORDINGS_FOLDER, 'borealtc', 'mapping-revision-b.json'),
  /** A firmware that logs acceleration in g while it says m/s². */
  firmwareFault: join(RECORDINGS_FOLDER, 'borealtc', 'mapping-firmware-fault.json'),
} as const;

const BLACKBOX_DRIVES = [
  '01',
  '02',
  '04',
  '06',
  '07',
  '09',
  '11',
  '12',
  '13',
  '14',
  '15',
  '19',
  '23',
  '24',
  '28',
  '30',
  '32',
  '34',
];

/** Runs per terrain as the source of the dataset divides them; the test runs are never trained on. */
const BOREALTC_RUNS = {
  ASPHALT: { pool: ['00', '01', '05', '06'], test: ['02', '03'] },
  FLOORING: { pool: ['00', '01', '02', '07'], test: ['05', '08'] },
  ICE: { pool: ['00', '03', '05', '06', '09'], test: ['02', '07', '12'] },
  SANDY_LOAM: { pool: ['01', '02', '03', '04', '06', '08', '10'], test: ['00', '05', '11'] },
  SNOW: {
    pool: ['00', '01', '02', '05', '06', '10', '13', '15', '17', '18'],
    test: ['03', '08', '12', '19', '22', '25'],
  },
} as const;

/** The five terrains, in the order of their names. */
export const TERRAINS = ['ASPHALT', 'FLOORING', 'ICE', 'SANDY_LOAM', 'SNOW'] as const;
export type Terrain = (typeof TERRAINS)[number];

/** One run of the borealtc robot: an IMU file and a wheel file that the mapping merges. */
export type BorealtcRun = RecordedDrive & {
  readonly terrain: Terrain;
  /** Two digits, unique within the terrain. */
  readonly number: string;
  readonly split: 'pool' | 'test';
  /** Folder and number, e.g. `ICE_09`. */
  readonly name: string;
};

/** Name of the shortest ICE run of the training pool, the only ice that the first dataset version gets. */
export const SHORT_ICE_RUN = 'ICE_09';

/** The 18 drives of the blackbox car, by number. */
export function blackboxDrives(): readonly RecordedDrive[] {
  const folder = join(RECORDINGS_FOLDER, 'blackbox_drives');
  return BLACKBOX_DRIVES.map((number) => ({
    session: `blackbox/drive_${number}`,
    sourcePath: join(folder, `drive_${number}.csv.zst`),
    mappingPath: join(folder, 'mapping.json'),
  }));
}

/** The 46 runs, by terrain and number, with the mapping as recorded. */
export function borealtcRuns(): readonly BorealtcRun[] {
  return TERRAINS.flatMap((terrain) => {
    const { pool, test } = BOREALTC_RUNS[terrain];
    const runs = [
      ...pool.map((number) => borealtcRun(terrain, number, 'pool')),
      ...test.map((number) => borealtcRun(terrain, number, 'test')),
    ];
    return runs.toSorted((a, b) => (a.number < b.number ? -1 : 1));
  });
}

function borealtcRun(terrain: Terrain, number: string, split: BorealtcRun['split']): BorealtcRun {
  return {
    session: `borealtc/${terrain}/${number}`,
    sourcePath: join(RECORDINGS_FOLDER, 'borealtc', terrain, `imu_${number}.csv.zst`),
    mappingPath: BOREALTC_MAPPINGS.asRecorded,
    terrain,
    number,
    split,
    name: `${terrain}_${number}`,
  };
}

/** The first 40 seconds of the comma segment with raw CAN. */
export function commaSegment(): RecordedDrive {
  const folder = join(RECORDINGS_FOLDER, 'comma2k19_segment');
  return {
    session: 'comma2k19/segment_40',
    sourcePath: join(folder, 'first_40s'),
    mappingPath: join(folder, 'mapping.json'),
  };
}
