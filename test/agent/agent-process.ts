/** Why: what a vehicle survives is proven on a real agent process that can be killed and started again over its own folder. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, open, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
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
  readonly config: string;
  /** Where live publishers connect, when `settings` say so. */
  readonly liveSocket: string;
  readonly start: () => Promise<void>;
  /** Ends the process at once. */
  readonly kill: () => Promise<void>;
  /** Ends it in order; resolves with its exit code. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>;
  /** Runs a command of the agent's command line against it, e.g. `status`. */
  readonly ask: (...args: readonly string[]) => Promise<Outcome>;
  /** Its diagnostics so far. */
  readonly diagnostics: () => Promise<readonly Diagnostic[]>;
  readonly rssBytes: () => Promise<number>;
  /** TCP addresses on which its process listens. */
  readonly listening: () => Promise<readonly string[]>;
  readonly drive: (drives: readonly RecordedDrive[], speed?: number) => Promise<void>;
  readonly endPlaylist: () => Promise<void>;
  readonly spooled: () => Promise<readonly string[]>;
};

export type AgentBenchOptions = {
  readonly api: ApiClient;
  readonly natsUrl: string;
  readonly folder: string;
  readonly vehicleId: string;
  /** Keys of the configuration beside or instead of the usual ones; `live` takes the place of the playlist. */
  readonly settings?: (paths: { readonly folder: string; readonly liveSocket: string }) => object;
  /** For Node, beside the usual ones. */
  readonly nodeFlags?: readonly string[];
};

export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };
export type Diagnostic = { readonly msg: string; readonly [field: string]: unknown };

/** Enrols a vehicle and prepares its agent. */
export async function openAgentBench(options: AgentBenchOptions): Promise<AgentBench & AsyncDisposable> {
  const { folder, vehicleId, nodeFlags = [] } = options;
  await mkdir(folder, { recursive: true });
  const stateDir = join(folder, 'state');
  const playlist = join(folder, 'playlist.jsonl');
  const config = join(folder, 'agent.json');
  const logFile = join(folder, 'agent.log');
  const liveSocket = join(folder, 'live.sock');
  const settings: Readonly<Record<string, unknown>> = { ...options.settings?.({ folder, liveSocket }) };
  await writeFile(playlist, '');
  const source = 'live' in settings ? {} : { playlist };
  await writeFile(config, JSON.stringify({ ...(await configuration(options, stateDir)), ...source, ...settings }));
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => end(child, 'SIGKILL');
  return {
    vehicleId,
    stateDir,
    logFile,
    config,
    liveSocket,
    start: async () => {
      await using log = await open(logFile, 'a');
      child = spawn(process.execPath, [...AGENT_NODE_FLAGS, ...nodeFlags, AGENT_MAIN, 'run', '--config', config], {
        stdio: ['ignore', 'ignore', log.fd],
      });
      await once(child, 'spawn');
    },
    kill,
    stop: async (signal = 'SIGTERM') => {
      await end(child, signal);
      return child?.exitCode ?? null;
    },
    ask: async (...args) => runAgentCommand(...args, '--config', config),
    diagnostics: async () =>
      (await readFile(logFile, 'utf8'))
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Diagnostic),
    listening: async () => listeningOf(child?.pid ?? 0),
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

/** `fleetloop agent …` in a process of its own. */
export async function runAgentCommand(...args: readonly string[]): Promise<Outcome> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [AGENT_MAIN, ...args])) };
  } catch (error) {
    return error as Outcome;
  }
}

/** State 0A of /proc/net/tcp is LISTEN; the sockets of a process are links that name their inode. */
async function listeningOf(pid: number): Promise<readonly string[]> {
  const links = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map(async (fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  );
  const tables = await Promise.all(['tcp', 'tcp6'].map(async (name) => readFile(`/proc/${pid}/net/${name}`, 'utf8')));
  return tables
    .flatMap((table) => table.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === '0A' && links.includes(`socket:[${inode}]`))
    .map(([, address]) => address ?? '');
}

async function configuration(options: AgentBenchOptions, stateDir: string): Promise<object> {
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
  return { ...identity, nats: { url: natsUrl, jwt, seedFile }, keys, stateDir, logLevel: 'debug' };
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}
