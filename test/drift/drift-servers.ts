/** Why: evaluations are proven on real servers and processes: one that answers, and as many workers as a test starts, ends or kills. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient, type ControlPlaneConfigInput } from '@fleetloop/control-plane';
import {
  cacheFolder,
  findFreePorts,
  findServer,
  NATS_SERVER,
  startNatsServer,
  startTemporalServer,
  TEMPORAL,
} from '@fleetloop/sim';
import { Client, Connection } from '@temporalio/client';
import { killNow, MAIN, readyLine } from '../ingest/control-plane-process.ts';

const TOKEN = 'token-of-the-tester';
const REVIEWER_TOKEN = 'token-of-the-reviewer';

export type DriftServers = AsyncDisposable & {
  readonly root: string;
  readonly api: ApiClient;
  /** The API as a second person. */
  readonly reviewer: ApiClient;
  /** Options of the command line that name the API. */
  readonly access: readonly string[];
  readonly temporal: Client;
  /** Starts a worker process with that many slots; resolves when it runs. */
  readonly startWorker: (name: string, activitiesAtOnce: number) => Promise<ChildProcess>;
  readonly stopWorkers: () => Promise<void>;
};

export async function openDriftServers(): Promise<DriftServers> {
  await using resources = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), 'fleetloop-drift-servers-'));
  resources.defer(async () => rm(root, { recursive: true, force: true }));
  const config = await startServers(root, resources);
  const workers = new Set<ChildProcess>();
  const children = new Set<ChildProcess>();
  resources.defer(async () => void (await Promise.all([...children].map(killNow))));
  const start = async (
    name: string,
    roles: string,
    own: Partial<ControlPlaneConfigInput>,
  ): Promise<{ child: ChildProcess; url?: string }> => {
    const path = join(root, `${name}.json`);
    await writeFile(path, JSON.stringify({ ...config, ...own }));
    const child = spawn(process.execPath, [MAIN, '--config', path, '--roles', roles], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.add(child);
    child.once('exit', () => children.delete(child));
    return { child, ...(await readyLine(child, 'control-plane.ready')) };
  };
  const { url = '' } = await start('centre', 'api,ingest,project', {});
  const connection = resources.adopt(await Connection.connect({ address: config.temporal.address }), async (open) =>
    open.close(),
  );
  const owned = resources.move();
  return {
    root,
    api: new ApiClient({ url, token: TOKEN }),
    reviewer: new ApiClient({ url, token: REVIEWER_TOKEN }),
    access: ['--url', url, '--token', TOKEN],
    temporal: new Client({ connection }),
    startWorker: async (name, activitiesAtOnce) => {
      const { child } = await start(name, 'worker', {
        instance: name,
        temporal: { ...config.temporal, activitiesAtOnce },
      });
      workers.add(child);
      return child;
    },
    stopWorkers: async () => {
      await Promise.all([...workers].map(killNow));
      workers.clear();
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

async function startServers(root: string, resources: AsyncDisposableStack): Promise<ControlPlaneConfigInput> {
  const common = { onProgress: () => {}, signal: new AbortController().signal };
  const find = { cache: cacheFolder(), ...common };
  const [natsPort = 0, leafPort = 0, temporalPort = 0] = await findFreePorts(3);
  await mkdir(join(root, 'nats'));
  const nats = await startNatsServer(
    {
      binary: await findServer(NATS_SERVER, find),
      folder: join(root, 'nats'),
      logFile: join(root, 'nats.log'),
      port: natsPort,
      leafPort,
      ...common,
    },
    resources,
  );
  const temporal = await startTemporalServer(
    {
      binary: await findServer(TEMPORAL, find),
      folder: join(root, 'temporal'),
      logFile: join(root, 'temporal.log'),
      port: temporalPort,
      uiPort: undefined,
      ...common,
    },
    resources,
  );
  const seedFile = join(root, 'service.nk');
  const accountSeedFile = join(root, 'account.nk');
  await writeFile(seedFile, nats.serviceUser.seed);
  await writeFile(accountSeedFile, nats.accountSeed);
  return {
    nats: { url: nats.url, jwt: nats.serviceUser.jwt, seedFile, accountSeedFile },
    temporal: { address: temporal.address, namespace: temporal.namespace },
    mlflow: { url: null },
    python: 'python3',
    dataDir: join(root, 'data'),
    workflowBundleDir: join(cacheFolder(), 'workflow-bundle'),
    tokens: { [TOKEN]: 'tester', [REVIEWER_TOKEN]: 'reviewer' },
    logLevel: 'error',
  };
}
