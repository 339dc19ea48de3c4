/** What benchmarks run against: a real nats-server and a real control-plane process in a folder of their own. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient, type ControlPlaneConfigInput } from '@fleetloop/control-plane';
import { cacheFolder } from '../stack/cache-folder.ts';
import { findServer } from '../stack/find-server.ts';
import { findFreePorts, LOCAL_HOST } from '../stack/free-port.ts';
import { type NatsServer, startNatsServer } from '../stack/nats-server.ts';
import { ServerProcess } from '../stack/server-process.ts';
import { NATS_SERVER } from '../stack/server-release.ts';

const MAIN = join(import.meta.dirname, '../../../control-plane/src/processes/control-plane.ts');
const START_TIMEOUT_MS = 30_000;
const TOKEN = 'bench-token';

export type BenchServers = {
  readonly api: ApiClient;
  readonly nats: NatsServer;
  /** Everything that is written goes below this folder. */
  readonly root: string;
  /** The control plane's own folder. */
  readonly dataDir: string;
  /** Of the control plane. */
  readonly pid: number;
};

/** Starts both without Temporal and MLflow; `resources` stops them and removes their folder. */
export async function startBenchServers(signal: AbortSignal, resources: AsyncDisposableStack): Promise<BenchServers> {
  const root = await mkdtemp(join(tmpdir(), 'fleetloop-bench-'));
  resources.defer(async () => rm(root, { recursive: true, force: true }));
  const common = { onProgress: () => {}, signal };
  const binary = await findServer(NATS_SERVER, { cache: cacheFolder(), ...common });
  const [natsPort = 0, apiPort = 0, temporalPort = 0] = await findFreePorts(3);
  await mkdir(join(root, 'nats'));
  const nats = await startNatsServer(
    { binary, folder: join(root, 'nats'), logFile: join(root, 'nats.log'), port: natsPort, ...common },
    resources,
  );
  const dataDir = join(root, 'data');
  const config: ControlPlaneConfigInput = {
    nats: {
      url: nats.url,
      jwt: nats.serviceUser.jwt,
      seedFile: join(root, 'service.nk'),
      accountSeedFile: join(root, 'account.nk'),
    },
    // These roles run without Temporal and MLflow; nothing listens there.
    temporal: { address: `${LOCAL_HOST}:${temporalPort}` },
    mlflow: { url: null },
    python: 'python3',
    dataDir,
    api: { port: apiPort },
    tokens: { [TOKEN]: 'bench' },
    logLevel: 'error',
  };
  await writeFile(config.nats.seedFile, nats.serviceUser.seed);
  await writeFile(config.nats.accountSeedFile, nats.accountSeed);
  await writeFile(join(root, 'control-plane.json'), JSON.stringify(config));
  const url = `http://${LOCAL_HOST}:${apiPort}`;
  const controlPlane = resources.use(
    await ServerProcess.start({
      name: 'control-plane',
      command: process.execPath,
      args: [MAIN, '--config', join(root, 'control-plane.json'), '--roles', 'api,ingest,project'],
      logFile: join(root, 'control-plane.log'),
      isHealthy: async (health) => (await fetch(`${url}/v1/health`, { signal: health })).ok,
      healthTimeoutMs: START_TIMEOUT_MS,
      ...common,
    }),
  );
  return { api: new ApiClient({ url, token: TOKEN }), nats, root, dataDir, pid: controlPlane.pid() };
}
