/** One vehicle of the virtual fleet: a real agent process with its own key, its own folder and a road to drive. */
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiClient, VehicleDetails } from '@fleetloop/control-plane';
import { AGENT_NODE_FLAGS, agentEnvironment } from '@fleetloop/edge-agent/launch';
import { createUser } from '@nats-io/nkeys';
import { cacheFolder } from '../stack/cache-folder.ts';
import { ServerProcess } from '../stack/server-process.ts';
import type { Drive, VehiclePlan } from './fleet-plan.ts';

const AGENT_MAIN = join(import.meta.dirname, '../../../edge-agent/src/main.ts');
const START_TIMEOUT_MS = 30_000;
/** What the fleet runs. */
export const SOFTWARE_VERSION = '1.4.0';

export type VehicleOptions = {
  readonly plan: VehiclePlan;
  readonly folder: string;
  readonly natsUrl: string;
  readonly api: ApiClient;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
};

type Enrolment = {
  readonly jwt: string;
  readonly keys: { readonly director: readonly string[]; readonly image: readonly string[] };
};

/** A running vehicle. Disposing it stops the agent cleanly. */
export class VehicleProcess implements AsyncDisposable {
  readonly plan: VehiclePlan;
  readonly #playlist: string;
  readonly #process: ServerProcess;

  private constructor(plan: VehiclePlan, playlist: string, process: ServerProcess) {
    this.plan = plan;
    this.#playlist = playlist;
    this.#process = process;
  }

  /** Makes the vehicle's key, enrols it, writes its configuration and starts its agent. */
  static async start(options: VehicleOptions): Promise<VehicleProcess> {
    const { plan, folder } = options;
    await mkdir(folder, { recursive: true });
    const playlist = join(folder, 'playlist.jsonl');
    await writeFile(playlist, '');
    const config = join(folder, 'agent.json');
    await writeFile(config, JSON.stringify(await configuration(options, playlist), undefined, 2));
    const process = await ServerProcess.start({
      name: plan.vehicleId,
      command: globalThis.process.execPath,
      args: [...AGENT_NODE_FLAGS, AGENT_MAIN, 'run', '--config', config],
      env: agentEnvironment(cacheFolder()),
      logFile: join(folder, 'agent.log'),
      isHealthy: async () =>
        (await options.api.get<VehicleDetails>(`/v1/vehicles/${plan.vehicleId}`)).reported !== null,
      healthTimeoutMs: START_TIMEOUT_MS,
      onProgress: options.onProgress,
      signal: options.signal,
    });
    return new VehicleProcess(plan, playlist, process);
  }

  readonly pid = (): number | undefined => this.#process.pid();
  readonly kill = async (): Promise<void> => this.#process.kill();
  readonly restart = async (): Promise<void> => this.#process.restart();

  /** Puts drives onto the vehicle's road. */
  async drive(drives: readonly Drive[]): Promise<void> {
    await appendFile(this.#playlist, drives.map((drive) => `${JSON.stringify(drive)}\n`).join(''));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

async function configuration(options: VehicleOptions, playlist: string): Promise<object> {
  const { plan, folder } = options;
  const key = createUser();
  const seedFile = join(folder, 'vehicle.nk');
  await writeFile(seedFile, key.getSeed(), { mode: 0o600 });
  const enrolment = await options.api.post<Enrolment>('/v1/vehicles', {
    vehicleId: plan.vehicleId,
    publicKey: key.getPublicKey(),
    hardwareRevision: plan.hardwareRevision,
    softwareVersion: SOFTWARE_VERSION,
    place: plan.place,
  });
  return {
    vehicleId: plan.vehicleId,
    hardwareRevision: plan.hardwareRevision,
    softwareVersion: SOFTWARE_VERSION,
    nats: { url: options.natsUrl, jwt: enrolment.jwt, seedFile },
    keys: enrolment.keys,
    stateDir: join(folder, 'state'),
    playlist,
    logLevel: 'info',
  };
}
