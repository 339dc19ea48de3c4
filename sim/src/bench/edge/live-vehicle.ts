/** A vehicle with live publishers: a real agent process with the flags that it ships with, and a publisher process beside it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askAgent, type AgentStatus } from '@fleetloop/edge-agent';
import { AGENT_NODE_FLAGS, agentEnvironment } from '@fleetloop/edge-agent/launch';
import type { Campaign } from '@fleetloop/schemas';
import { createUser } from '@nats-io/nkeys';
import { cacheFolder } from '../../stack/cache-folder.ts';
import { waitUntil } from '../../world/wait-until.ts';
import type { BenchServers } from '../bench-servers.ts';
import type { LiveWork } from './live-workload.ts';

const AGENT_MAIN = join(import.meta.dirname, '../../../../edge-agent/src/main.ts');
const PUBLISHER = join(import.meta.dirname, 'live-publisher-child.ts');
const START_TIMEOUT_MS = 30_000;

export type LiveVehicleOptions = {
  readonly servers: BenchServers;
  readonly vehicleId: string;
  readonly signal: AbortSignal;
  /** Keys of the configuration beside or instead of the usual ones. */
  readonly config?: object | ((socketPath: string) => object);
  /** A program that runs the agent in its own way, instead of the agent's command line; it gets the configuration and the socket. */
  readonly program?: string;
  /** Flags of Node instead of the agent's. */
  readonly flags?: readonly string[];
};

export class LiveVehicle implements AsyncDisposable {
  readonly vehicleId: string;
  readonly stateDir: string;
  readonly socketPath: string;
  readonly logFile: string;
  readonly #options: LiveVehicleOptions;
  readonly #configPath: string;
  #agent: ChildProcess | undefined;
  #publisher: ChildProcess | undefined;

  private constructor(options: LiveVehicleOptions) {
    const { servers, vehicleId } = options;
    const folder = join(servers.root, vehicleId);
    this.#options = options;
    this.vehicleId = vehicleId;
    this.stateDir = join(folder, 'state');
    // A socket's path is short by the kernel's own limit.
    this.socketPath = join(tmpdir(), `fleetloop-${process.pid}-${vehicleId}.sock`);
    this.logFile = join(folder, 'agent.log');
    this.#configPath = join(folder, 'agent.json');
  }

  /** Enrols the vehicle and writes its configuration; starts nothing. */
  static async prepare(options: LiveVehicleOptions): Promise<LiveVehicle> {
    const vehicle = new LiveVehicle(options);
    await mkdir(vehicle.stateDir, { recursive: true });
    await writeFile(vehicle.#configPath, JSON.stringify(await vehicle.#configuration()));
    return vehicle;
  }

  get pid(): number {
    return this.#agent?.pid ?? 0;
  }

  /** Starts the agent; resolves when it runs, not when it serves. */
  async start(): Promise<void> {
    const log = createWriteStream(this.logFile, { flags: 'a' });
    await once(log, 'open');
    const { flags = AGENT_NODE_FLAGS, program } = this.#options;
    const run =
      program === undefined
        ? [AGENT_MAIN, 'run', '--config', this.#configPath]
        : [program, this.#configPath, this.socketPath];
    this.#agent = spawn(process.execPath, [...flags, ...run], {
      stdio: ['ignore', 'ignore', log],
      env: { ...process.env, ...agentEnvironment(cacheFolder()) },
    });
    await once(this.#agent, 'spawn');
    log.end();
  }

  /** Starts and stops it once: that fills the compile cache, which every later start finds. */
  async warmUp(): Promise<void> {
    await this.start();
    await this.serving();
    await this.stop();
  }

  /** As a power cut ends it. */
  async kill(): Promise<void> {
    await end(this.#agent, 'SIGKILL');
  }

  async stop(): Promise<void> {
    await end(this.#agent, 'SIGTERM');
  }

  /** Starts the publisher process; resolves when all its channels are accepted. */
  async publish(work: Omit<LiveWork, 'socketPath'>): Promise<void> {
    const args = [PUBLISHER, JSON.stringify({ ...work, socketPath: this.socketPath })];
    this.#publisher = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const { stdout } = this.#publisher;
    if (stdout !== null) await once(stdout, 'data', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
  }

  async status(): Promise<AgentStatus> {
    return (await askAgent(join(this.stateDir, 'agent.sock'), { kind: 'status' })) as AgentStatus;
  }

  /** Resolves when the agent answers. */
  async serving(): Promise<void> {
    await this.until('its answer', () => true);
  }

  /** Gives the vehicle a campaign; resolves when it is in force. */
  async campaign(campaign: Campaign): Promise<void> {
    await this.#options.servers.api.post('/v1/campaigns', { campaign, vehicles: [this.vehicleId] });
    await this.until('its campaign', ({ campaigns }) => campaigns.some(({ state }) => state === 'active'));
  }

  async until(what: string, isReached: (status: AgentStatus) => boolean, timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const { signal } = this.#options;
    const ask = async (): Promise<true | undefined> => {
      const status = await this.status().catch(() => undefined);
      return status !== undefined && isReached(status) ? true : undefined;
    };
    await waitUntil(ask, { what: `${this.vehicleId}: ${what} (${this.logFile})`, timeoutMs, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#publisher, 'SIGKILL');
    await end(this.#agent, 'SIGKILL');
    await rm(this.socketPath, { force: true });
  }

  async #configuration(): Promise<object> {
    const { servers, vehicleId, config = {} } = this.#options;
    const key = createUser();
    const seedFile = join(servers.root, vehicleId, 'vehicle.nk');
    await writeFile(seedFile, key.getSeed(), { mode: 0o600 });
    const identity = { vehicleId, hardwareRevision: 'A', softwareVersion: '1.0.0' };
    const enrolment = await servers.api.post<{ jwt: string; keys: object }>('/v1/vehicles', {
      ...identity,
      publicKey: key.getPublicKey(),
      place: '',
    });
    return {
      ...identity,
      nats: { url: servers.nats.url, jwt: enrolment.jwt, seedFile },
      keys: enrolment.keys,
      stateDir: this.stateDir,
      live: { socket: { path: this.socketPath } },
      ...(typeof config === 'function' ? config(this.socketPath) : config),
    };
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}
