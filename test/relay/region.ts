/** Why: a region is proven on real processes: a leaf nats-server and a relay beside it, each of which can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RelayConfigInput } from '@fleetloop/control-plane';
import { cacheFolder, findFreePorts, findServer, type LeafServer, NATS_SERVER, startLeafServer } from '@fleetloop/sim';
import { type IngestBench, killNow, MAIN, readyLine } from '../ingest/control-plane-process.ts';

export const REGION = 'region-north';

export type RelayProcess = {
  readonly pid: number;
  /** Ends the process at once, without a chance to clean up. */
  readonly kill: () => Promise<void>;
};

export type Region = AsyncDisposable & {
  readonly leaf: LeafServer;
  readonly dataDir: string;
  readonly startRelay: () => Promise<RelayProcess>;
};

/** A region of the bench's centre; its relay is started by the test. */
export async function openRegion(bench: IngestBench, limits: RelayConfigInput['limits'] = {}): Promise<Region> {
  await using resources = new AsyncDisposableStack();
  const common = { onProgress: () => {}, signal: new AbortController().signal };
  const binary = await findServer(NATS_SERVER, { cache: cacheFolder(), ...common });
  const [port = 0] = await findFreePorts(1);
  const folder = join(bench.root, 'leaf');
  await mkdir(folder);
  const { trust, systemUser, leafUrl = '' } = bench.nats.local ?? {};
  if (trust === undefined || systemUser === undefined) throw new Error('the bench has no server of its own');
  const hub = { trust, systemUser, leafUrl };
  const logFile = join(bench.root, 'leaf.log');
  const leaf = await startLeafServer({ binary, folder, logFile, port, domain: REGION, hub, ...common }, resources);
  const dataDir = join(bench.root, 'relay');
  const configFile = await writeRelayConfig({ bench, leaf, dataDir, limits });
  const running = new Set<ChildProcess>();
  resources.defer(async () => {
    await Promise.all([...running].map(killNow));
  });
  const owned = resources.move();
  return {
    leaf,
    dataDir,
    startRelay: async () => startRelay(configFile, running),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

async function writeRelayConfig(options: {
  readonly bench: IngestBench;
  readonly leaf: LeafServer;
  readonly dataDir: string;
  readonly limits: RelayConfigInput['limits'];
}): Promise<string> {
  const { bench, leaf, dataDir, limits } = options;
  const seedFile = join(bench.root, 'relay.nk');
  await writeFile(seedFile, leaf.relayUser.seed);
  const path = join(bench.root, 'relay.json');
  const nats = { url: leaf.url, jwt: leaf.relayUser.jwt, seedFile };
  const config: RelayConfigInput = { name: REGION, nats, dataDir, limits, logLevel: 'error' };
  await writeFile(path, JSON.stringify(config));
  return path;
}

async function startRelay(configFile: string, running: Set<ChildProcess>): Promise<RelayProcess> {
  const child = spawn(process.execPath, [MAIN, '--config', configFile, '--roles', 'relay'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  await readyLine(child, 'relay.ready');
  return { pid: child.pid ?? 0, kill: async () => killNow(child) };
}
