/** Why: what a vehicle survives is proven on a real agent process that can be killed and started again over its own folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiClient } from '@fleetloop/control-plane';
import { AGENT_NODE_FLAGS } from '@fleetloop/edge-agent/launch';
import type { RecordedDrive } from '@fleetloop/sim';
import { createUser } from '@nats-io/nkeys';

const AGENT_MAIN = join(import.meta.dirname, '../../edge-agent/src/main.ts');
const CAMPAIGN = join(import.meta.dirname, '../../sim/campaigns/hard-manoeuvre.json');

/** The campaign that the events of the blackbox drives are listed for. */
export const hardManoeuvre = async (): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(CAMPAIGN, 'utf8')) as Record<string, unknown>;

export const hardManoeuvrePath = CAMPAIGN;

export type AgentBench = {
  readonly vehicleId: string;
  readonly stateDir: string;
  readonly logFile: string;
  readonly start: () => Promise<void>;
  /** Ends the process at once. */
  readonly kill: () => Promise<void>;
  /** Ends it in order; resolves with its exit code. */
  readonly stop: () => Promise<number | null>;
  readonly rssBytes: () => Promise<number>;
  readonly drive: (drives: readonly RecordedDrive[], speed?: number) => Promise<void>;
  readonly endPlaylist: () => Promise<void>;
  readonly spooled: () => Promise<readonly string[]>;
};

export type AgentBenchOptions = {
  readonly api: ApiClient;
  readonly natsUrl: string;
  readonly folder: string;
  readonly vehicleId: string;
};

/** Enrols a vehicle and prepares its agent. */
export async function openAgentBench(options: AgentBenchOptions): Promise<AgentBench & AsyncDisposable> {
  const { folder, vehicleId } = options;
  await mkdir(folder, { recursive: true });
  const stateDir = join(folder, 'state');
  const playlist = join(folder, 'playlist.jsonl');
  const config = join(folder, 'agent.json');
  const logFile = join(folder, 'agent.log');
  await writeFile(playlist, '');
  await writeFile(config, JSON.stringify(await configuration(options, { stateDir, playlist })));
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => end(child, 'SIGKILL');
  return {
    vehicleId,
    stateDir,
    logFile,
    start: async () => {
      await using log = await open(logFile, 'a');
      child = spawn(process.execPath, [...AGENT_NODE_FLAGS, AGENT_MAIN, 'run', '--config', config], {
        stdio: ['ignore', 'ignore', log.fd],
      });
      await once(child, 'spawn');
    },
    kill,
    stop: async () => {
      await end(child, 'SIGTERM');
      return child?.exitCode ?? null;
    },
    rssBytes: async () =>
      Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${child?.pid}/status`, 'utf8'))?.[1]) * 1024,
    drive: async (drives, speed = 0) => {
      const lines = drives.map(
        (drive) => `${JSON.stringify({ mapping: drive.mappingPath, files: [drive.sourcePath], speed })}\n`,
      );
      await appendFile(playlist, lines.join(''));
    },
    endPlaylist: async () => appendFile(playlist, '{"end":true}\n'),
    spooled: async () =>
      (await readdir(join(stateDir, 'spool', 'queue')).catch(() => [])).filter((name) => name.endsWith('.mcap')),
    [Symbol.asyncDispose]: kill,
  };
}

async function configuration(
  options: AgentBenchOptions,
  paths: { readonly stateDir: string; readonly playlist: string },
): Promise<object> {
  const { api, natsUrl, folder, vehicleId } = options;
  const key = createUser();
  const seedFile = join(folder, 'vehicle.nk');
  await writeFile(seedFile, key.getSeed(), { mode: 0o600 });
  const vehicle = {
    vehicleId,
    publicKey: key.getPublicKey(),
    hardwareRevision: 'A',
    softwareVersion: '1.0.0',
    place: 'Omaha',
  };
  const { jwt, keys } = await api.post<{ jwt: string; keys: object }>('/v1/vehicles', vehicle);
  const identity = { vehicleId, hardwareRevision: 'A', softwareVersion: '1.0.0' };
  return { ...identity, nats: { url: natsUrl, jwt, seedFile }, keys, ...paths, logLevel: 'debug' };
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}
