/** Cuts power at every operation of a scenario, restarts on what survived, and lets the scenario look for what must not be. */
import type { Disk } from '@fleetloop/edge-agent';
import { type SeededRandom, seededRandom } from '@fleetloop/sim';
import { CrashDisk, type CrashDiskOptions, type Survived, type WriteFault } from './crash-disk.ts';

/** One life story of a part of the agent; it remembers itself what was acknowledged to it. */
export type ScenarioRun = {
  /** Opens the part on a disk: at first, and after each cut. */
  readonly open: (disk: Disk) => Promise<void>;
  /** What happens, one after the other. Errors of the disk are taken as the agent takes them. */
  readonly steps: readonly (() => Promise<void>)[];
  /** After a restart: one line for each thing that is not as it must be. */
  readonly check: (disk: CrashDisk) => Promise<readonly string[]>;
  /** The same when one file, `damaged`, has lost bytes at its end or holds others: what does not depend on it must stand. */
  readonly checkDamaged: (disk: CrashDisk, damaged: string) => Promise<readonly string[]>;
};

export type Scenario = {
  readonly name: string;
  readonly capacityBytes?: number;
  /** The same seed gives the same story. */
  readonly make: (random: SeededRandom) => ScenarioRun;
};

export type LabOptions = {
  readonly seed: number;
  /** Puts a broken layer between the agent and the disk. */
  readonly wrap?: (disk: Disk) => Disk;
  /** Points of one story at most, spread evenly over it; all of them without it. */
  readonly pointsMax?: number;
};

/** A point and what was found there; `FLEETLOOP_CRASH_SEED` and `FLEETLOOP_CRASH_CUT` replay it. */
export type Finding = {
  readonly scenario: string;
  readonly seed: number;
  readonly cut: number;
  readonly faults: readonly string[];
};
export type Exploration = { readonly points: number; readonly findings: readonly Finding[] };

/** Operations of a restart after which power may go once more. */
const SECOND_CUT_MAX = 40;
/** Share of the points at which the restart is cut as well. */
const SECOND_CUT_SHARE = 0.5;

const OPEN_TRIES_MAX = 4;
/** Bytes at the end of a file within which it is damaged. */
const TAIL_BYTES_MAX = 3_000;

/** Cuts power at each operation, one run each. `onlyCut` runs one point alone. */
export async function exploreCuts(scenario: Scenario, options: LabOptions, onlyCut?: number): Promise<Exploration> {
  const whole = await live(scenario, options, {});
  const cuts = onlyCut === undefined ? pointsOf(whole.disk.operations.length, options) : [onlyCut];
  const findings: Finding[] = [];
  for (const cut of cuts) {
    const faults = await cutAt(scenario, options, cut);
    if (faults.length > 0) findings.push({ scenario: scenario.name, seed: options.seed, cut, faults });
  }
  return { points: cuts.length, findings };
}

/** Lets each write and sync fail, one run each, with the power going at the end of the story. `cut` of a finding is the write. */
export async function exploreFaults(
  scenario: Scenario,
  options: LabOptions,
  fault: Omit<WriteFault, 'at'>,
  onlyAt?: number,
): Promise<Exploration> {
  const whole = await live(scenario, options, {});
  const findings: Finding[] = [];
  const writes = onlyAt === undefined ? pointsOf(whole.disk.writes, options) : [onlyAt];
  for (const at of writes) {
    const { run, disk } = await live(scenario, options, { fault: { ...fault, at } });
    const faults = await restart({ scenario, run, options, random: seededRandom(at) }, disk.cut());
    if (faults.length > 0) findings.push({ scenario: scenario.name, seed: options.seed, cut: at, faults });
  }
  return { points: writes.length, findings };
}

/** Truncates a file or turns bits near its end while the disk is off, one run each. `cut` of a finding is the run. */
export async function exploreDamage(scenario: Scenario, options: LabOptions, runs: number): Promise<Exploration> {
  const findings: Finding[] = [];
  for (const number of numbersTo(runs)) {
    const { run, disk } = await live(scenario, options, {});
    const random = seededRandom(options.seed * 7_368_787 + number);
    const { survived, path } = damage(disk.cut(), random);
    const next = new CrashDisk({ random, survived, ...capacityOf(scenario) });
    const faults = await tryTo(async () => {
      await run.open(next);
      return run.checkDamaged(next, path);
    });
    if (faults.length > 0)
      findings.push({ scenario: scenario.name, seed: options.seed, cut: number, faults: [path, ...faults] });
  }
  return { points: runs, findings };
}

function damage(survived: Survived, random: SeededRandom): { readonly survived: Survived; readonly path: string } {
  const files = new Map(survived.files);
  const [path, bytes] = [...files][random.integer(0, files.size - 1)] ?? ['', new Uint8Array(0)];
  const tail = Math.min(bytes.length, random.integer(1, TAIL_BYTES_MAX));
  const from = bytes.length - tail;
  if (random.chance(0.5)) files.set(path, bytes.slice(0, from));
  else
    files.set(
      path,
      bytes.map((byte, index) => (index === from ? byte ^ (1 << random.integer(0, 7)) : byte)),
    );
  return { survived: { files, folders: survived.folders }, path };
}

async function cutAt(scenario: Scenario, options: LabOptions, cut: number): Promise<readonly string[]> {
  const { run, disk } = await live(scenario, options, { cutAt: cut });
  const random = seededRandom(options.seed * 1_000_003 + cut);
  return restart({ scenario, run, options, random }, disk.cut());
}

type Life = { readonly run: ScenarioRun; readonly disk: CrashDisk };

/** Tells the story until its end or until the power goes. */
async function live(scenario: Scenario, options: LabOptions, disturbance: Partial<CrashDiskOptions>): Promise<Life> {
  const run = scenario.make(seededRandom(options.seed));
  const random = seededRandom(options.seed + (disturbance.cutAt ?? 0) * 7_919);
  const disk = new CrashDisk({ random, ...capacityOf(scenario), ...disturbance });
  const steps = [async () => openPatiently(run, (options.wrap ?? same)(disk)), ...run.steps];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      if (!disk.isCut) throw error;
    }
    if (disk.isCut) break;
  }
  return { run, disk };
}

/** A start that fails on a disk that fails is tried again, as a supervisor does with the agent. */
async function openPatiently(run: ScenarioRun, disk: Disk): Promise<void> {
  for (let tries = 1; tries < OPEN_TRIES_MAX; tries += 1) {
    try {
      await run.open(disk);
      return;
    } catch {
      // The next try says why.
    }
  }
  await run.open(disk);
}

type Restart = {
  readonly scenario: Scenario;
  readonly run: ScenarioRun;
  readonly options: LabOptions;
  readonly random: SeededRandom;
};

/** Opens on what survived, now and then with one more cut on the way, and checks. */
async function restart({ scenario, run, options, random }: Restart, survived: Survived): Promise<readonly string[]> {
  const wrap = options.wrap ?? same;
  let left = survived;
  if (random.chance(SECOND_CUT_SHARE)) {
    const disk = new CrashDisk({
      random,
      survived: left,
      cutAt: random.integer(1, SECOND_CUT_MAX),
      ...capacityOf(scenario),
    });
    await run.open(wrap(disk)).catch((error: unknown) => {
      if (!disk.isCut) throw error;
    });
    left = disk.cut();
  }
  const disk = new CrashDisk({ random, survived: left, ...capacityOf(scenario) });
  return tryTo(async () => {
    await run.open(wrap(disk));
    return run.check(disk);
  });
}

async function tryTo(work: () => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await work();
  } catch (error) {
    return [`the restart failed: ${error instanceof Error ? error.stack : String(error)}`];
  }
}

const capacityOf = ({ capacityBytes }: Scenario): { capacityBytes?: number } =>
  capacityBytes === undefined ? {} : { capacityBytes };
const same = (disk: Disk): Disk => disk;
/** Another seed looks at other points. */
function pointsOf(count: number, { seed, pointsMax = count }: LabOptions): number[] {
  const step = Math.max(1, count / pointsMax);
  const first = seededRandom(seed).next() * step;
  return [
    ...new Set(numbersTo(Math.min(count, pointsMax)).map((number) => Math.floor(first + (number - 1) * step) + 1)),
  ];
}

const numbersTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
