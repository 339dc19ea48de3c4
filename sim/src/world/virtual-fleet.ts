/** The whole proving ground: local servers, a control plane and a fleet of agents, started and stopped together. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileDurably } from '../stack/durable-file.ts';
import { startStack, type Stack } from '../stack/stack.ts';
import { type ControlPlaneProcess, startControlPlane } from './control-plane-process.ts';
import type { VehiclePlan } from './fleet-plan.ts';
import { PeakMemory } from './peak-memory.ts';
import { VehicleProcess } from './vehicle-process.ts';

export type VirtualFleetOptions = {
  /** Everything that is written goes below this folder. */
  readonly folder: string;
  readonly plans: readonly VehiclePlan[];
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
};

export type VirtualFleet = AsyncDisposable & {
  readonly stack: Stack;
  readonly controlPlane: ControlPlaneProcess;
  readonly vehicles: ReadonlyMap<string, VehicleProcess>;
  readonly memory: PeakMemory;
};

/** Starts everything; disposing stops vehicles, control plane and servers in that order. */
export async function startVirtualFleet(options: VirtualFleetOptions): Promise<VirtualFleet> {
  const { folder, onProgress, signal } = options;
  await using resources = new AsyncDisposableStack();
  const memory = new PeakMemory();
  resources.defer(() => memory.stop());
  const stack = resources.use(await startStack({ root: join(folder, 'stack'), signal, onProgress }));
  memory.watch('nats-server', stack.nats.pid);
  memory.watch('temporal', stack.temporal.pid);
  memory.watch('mlflow', stack.mlflow.pid);
  const controlPlane = resources.use(
    await startControlPlane({ stack, folder: join(folder, 'control-plane'), onProgress, signal }),
  );
  memory.watch('control-plane', controlPlane.process.pid);
  const started = await Promise.all(
    options.plans.map(async (plan) =>
      VehicleProcess.start({
        plan,
        folder: join(folder, 'vehicles', plan.vehicleId),
        natsUrl: stack.nats.url,
        api: controlPlane.as('fleet-operator'),
        onProgress,
        signal,
      }),
    ),
  );
  const vehicles = new Map<string, VehicleProcess>();
  for (const vehicle of started) {
    resources.use(vehicle);
    vehicles.set(vehicle.plan.vehicleId, vehicle);
    memory.watch(vehicle.plan.vehicleId, vehicle.pid);
  }
  const owned = resources.move();
  return { stack, controlPlane, vehicles, memory, [Symbol.asyncDispose]: async () => owned.disposeAsync() };
}

/** Tells the command line where this stack is, for `npx fleetloop …` without options; disposing takes that back. */
export async function announceStack(
  controlPlane: ControlPlaneProcess,
  projectFolder: string,
): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = join(projectFolder, '.fleetloop');
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'stack.json');
  await writeFileDurably(path, JSON.stringify({ url: controlPlane.url, token: controlPlane.tokenOf('ml-engineer') }));
  return { path, [Symbol.asyncDispose]: async () => rm(path, { force: true }) };
}
