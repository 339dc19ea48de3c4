/** `npm run dev`: the whole stack with console and three vehicles in one terminal; one Ctrl-C stops all of it. */
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { pushCampaign } from '../demo/chapters/capture.ts';
import { FLEET, shareDrives } from '../world/fleet-plan.ts';
import { announceStack, startVirtualFleet } from '../world/virtual-fleet.ts';

const PROJECT_FOLDER = resolve(import.meta.dirname, '../../..');
const VEHICLES = 3;

const program = new Command('dev')
  .description('Runs servers, control plane with console, and three vehicles that drive the 18 drives.')
  .option('--speed <factor>', 'times real time', '10')
  .action(async (options: { readonly speed: string }) => dev(Number(options.speed)));

async function dev(speed: number): Promise<void> {
  const controller = new AbortController();
  const interrupted = new Promise<void>((done) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        controller.abort(new Error(`stopped by ${name}`));
        done();
      });
    }
  });
  const folder = join(PROJECT_FOLDER, '.fleetloop', `dev-${process.pid}`);
  await mkdir(folder, { recursive: true });
  await using _data = { [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }) };
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  // One canary, one more of its revision, one of the other.
  const plans = [FLEET[0], FLEET[1], FLEET[3]].filter((plan) => plan !== undefined).slice(0, VEHICLES);
  await using fleet = await startVirtualFleet({ folder, plans, onProgress: say, signal: controller.signal });
  await using announcement = await announceStack(fleet.controlPlane, PROJECT_FOLDER);
  const api = fleet.controlPlane.as('fleet-operator');
  await pushCampaign(
    api,
    'hard-manoeuvre',
    plans.map((plan) => plan.vehicleId),
  );
  const shares = shareDrives(plans.length);
  await Promise.all(
    [...fleet.vehicles.values()].map(async (vehicle, index) =>
      vehicle.drive((shares[index] ?? []).map((drive) => ({ ...drive, speed }))),
    ),
  );
  say(`console  ${fleet.controlPlane.url}/?token=${fleet.controlPlane.tokenOf('ml-engineer')}`);
  say(
    `MLflow   ${fleet.stack.mlflow.url}\nTemporal ${fleet.stack.temporal.address}\nnpx fleetloop … finds it by ${announcement.path}\nCtrl-C stops everything.`,
  );
  await interrupted;
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`dev: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
