/** Chapter 2: the 46 test-drive runs come in by `fleetloop import`, as an engineer would bring them. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BOREALTC_MAPPINGS, type BorealtcRun, borealtcRuns } from '../../recordings/recordings.ts';
import { SOFTWARE_VERSION } from '../../world/vehicle-process.ts';
import type { DemoContext } from '../demo-context.ts';

const CLI = join(import.meta.dirname, '../../../../bin/fleetloop.mjs');
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
/** The firmware that logs acceleration in g while it says m/s². */
const FAULTY_FIRMWARE = '1.5.0-rc1';

/** Imports all runs, and the ASPHALT runs of the training pool once more as the faulty firmware logged them. */
export async function importRuns(context: DemoContext): Promise<void> {
  const asphalt = borealtcRuns().filter((run) => run.terrain === 'ASPHALT' && run.split === 'pool');
  const faulty = { mapping: BOREALTC_MAPPINGS.firmwareFault, softwareVersion: FAULTY_FIRMWARE };
  const specification = {
    kind: 'import-specification',
    mapping: BOREALTC_MAPPINGS.asRecorded,
    vehicle: 'husky-1',
    hardwareRevision: 'A',
    softwareVersion: SOFTWARE_VERSION,
    method: 'terrain of the test site',
    runs: [...borealtcRuns().map(labelledRun), ...asphalt.map((run) => ({ ...labelledRun(run), ...faulty }))],
  };
  const path = join(context.folder, 'import.json');
  await writeFile(path, JSON.stringify(specification, undefined, 2));
  await fleetloop(context, ['import', '--spec', path, '--json']);
}

const labelledRun = (run: BorealtcRun): object => ({ source: run.sourcePath, label: run.terrain });

/** Runs the command line against the demo's control plane and returns what it printed. */
export async function fleetloop({ fleet, signal }: DemoContext, args: readonly string[]): Promise<string> {
  const { controlPlane } = fleet;
  const env = { ...process.env, FLEETLOOP_URL: controlPlane.url, FLEETLOOP_TOKEN: controlPlane.tokenOf('ml-engineer') };
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args], {
    env,
    signal,
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return stdout;
}
