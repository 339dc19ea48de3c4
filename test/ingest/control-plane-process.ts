/** Why: ingest is proven on real processes: a real nats-server and a real control-plane process that can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ApiClient, type ControlPlaneConfigInput, NatsLedger } from '@fleetloop/control-plane';
import type { LedgerEntry } from '@fleetloop/schemas';
import {
  cacheFolder,
  findFreePorts,
  findServer,
  NATS_SERVER,
  type NatsServer,
  startNatsServer,
  startTemporalServer,
  TEMPORAL,
} from '@fleetloop/sim';
import { connect, credsAuthenticator } from '@nats-io/transport-node';

export const MAIN = join(import.meta.dirname, '../../control-plane/src/processes/control-plane.ts');
const TOKEN = 'token-of-the-tester';
export const ACTOR = 'tester';
/** Somebody else, for what one person must not decide alone. */
const REVIEWER_TOKEN = 'token-of-the-reviewer';

export type ControlPlaneProcess = {
  readonly url: string;
  readonly token: string;
  readonly reviewerToken: string;
  readonly api: ApiClient;
  readonly pid: number;
  readonly child: ChildProcess;
  /** Ends the process at once, without a chance to clean up. */
  readonly kill: () => Promise<void>;
  /** Ends the process in order; resolves with its exit code. */
  readonly stop: () => Promise<number | null>;
};

export type StartOptions = {
  readonly preload?: string;
  /** Words that stand before the command, which run it in another place. */
  readonly within?: readonly string[];
};

export type IngestBench = AsyncDisposable & {
  readonly nats: NatsServer;
  readonly dataDir: string;
  /** Everything of this bench is below it. */
  readonly root: string;
  /** With `preload`, a module that is loaded before everything else, its standard error is the caller's to read. */
  readonly start: (options?: StartOptions) => Promise<ControlPlaneProcess>;
  /** All entries of the ledger, read from the server without the control plane. */
  readonly readLedger: () => Promise<readonly LedgerEntry[]>;
};

/** A nats-server and a folder for a control plane that may be started, killed and started again over them. */
export async function openIngestBench(
  limits: ControlPlaneConfigInput['limits'] = {},
  {
    importRoots,
    standard,
  }: { readonly importRoots?: Readonly<Record<string, string>>; readonly standard?: string } = {},
): Promise<IngestBench> {
  await using resources = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), 'fleetloop-ingest-'));
  resources.defer(async () => rm(root, { recursive: true, force: true }));
  const common = { onProgress: () => {}, signal: new AbortController().signal };
  const binary = await findServer(NATS_SERVER, { cache: cacheFolder(), ...common });
  const [natsPort = 0, temporalPort = 0, apiPort = 0, leafPort = 0] = await findFreePorts(4);
  const folder = join(root, 'nats');
  await mkdir(folder);
  const nats = await startNatsServer(
    { binary, folder, logFile: join(root, 'nats.log'), port: natsPort, leafPort, ...common },
    resources,
  );
  // Imports beside the control plane are the only part of ingest that is a workflow.
  const roles = importRoots === undefined ? 'api,ingest,project' : 'api,ingest,project,worker';
  if (importRoots !== undefined) {
    const temporal = await findServer(TEMPORAL, { cache: cacheFolder(), ...common });
    const place = { folder: join(root, 'temporal'), logFile: join(root, 'temporal.log') };
    const ports = { port: temporalPort, uiPort: undefined };
    await startTemporalServer({ binary: temporal, ...place, ...ports, ...common }, resources);
  }
  const configFile = await writeConfig(root, nats, { temporalPort, apiPort, limits, importRoots, standard });
  const running = new Set<ChildProcess>();
  resources.defer(async () => {
    await Promise.all([...running].map(killNow));
  });
  const owned = resources.move();
  return {
    nats,
    root,
    dataDir: join(root, 'data'),
    start: async (start = {}) => startProcess({ configFile, roles, ...start }, running),
    readLedger: async () => readLedger(nats),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

async function writeConfig(
  root: string,
  nats: NatsServer,
  options: {
    readonly temporalPort: number;
    readonly apiPort: number;
    readonly limits: ControlPlaneConfigInput['limits'];
    readonly importRoots: Readonly<Record<string, string>> | undefined;
    readonly standard: string | undefined;
  },
): Promise<string> {
  const seedFile = join(root, 'service.nk');
  const accountSeedFile = join(root, 'account.nk');
  await writeFile(seedFile, nats.serviceUser.seed);
  await writeFile(accountSeedFile, nats.accountSeed);
  const systemSeedFile = join(root, 'system.nk');
  const operatorSeedFile = join(root, 'operator.nk');
  await writeFile(systemSeedFile, nats.local?.systemUser.seed ?? '');
  await writeFile(operatorSeedFile, nats.local?.trust.operatorSeed ?? '');
  const config: ControlPlaneConfigInput = {
    nats: {
      url: nats.url,
      jwt: nats.serviceUser.jwt,
      seedFile,
      accountSeedFile,
      system: { jwt: nats.local?.systemUser.jwt ?? '', seedFile: systemSeedFile, operatorSeedFile },
    },
    // Nothing listens there unless a test imports by workflow: ingest must not need it.
    temporal: { address: `127.0.0.1:${options.temporalPort}` },
    mlflow: { url: null },
    python: 'python3',
    dataDir: join(root, 'data'),
    workflowBundleDir: join(cacheFolder(), 'workflow-bundle'),
    api: { port: options.apiPort },
    tokens: { [TOKEN]: ACTOR, [REVIEWER_TOKEN]: 'reviewer' },
    limits: options.limits,
    import: { roots: { ...options.importRoots } },
    ...(options.standard === undefined ? {} : { standard: options.standard }),
    logLevel: 'warn',
  };
  const path = join(root, 'control-plane.json');
  await writeFile(path, JSON.stringify(config));
  return path;
}

async function startProcess(
  options: { readonly configFile: string; readonly roles: string } & StartOptions,
  running: Set<ChildProcess>,
): Promise<ControlPlaneProcess> {
  const { configFile, roles, preload, within = [] } = options;
  const [program, ...place] = [...within, process.execPath];
  const command = [MAIN, '--config', configFile, '--roles', roles];
  const child =
    preload === undefined
      ? spawn(program, [...place, ...command], { stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn(program, [...place, '--import', preload, ...command], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const { url = '' } = await readyLine(child, 'control-plane.ready');
  return {
    url,
    token: TOKEN,
    reviewerToken: REVIEWER_TOKEN,
    api: new ApiClient({ url, token: TOKEN }),
    pid: child.pid ?? 0,
    child,
    kill: async () => killNow(child),
    stop: async () => {
      child.kill('SIGTERM');
      await exited(child);
      return child.exitCode;
    },
  };
}

/** Resolves with the line with which a process says that it is ready. */
export async function readyLine(child: ChildProcess, event: string): Promise<{ readonly url?: string }> {
  if (child.stdout === null) throw new Error('the process has no standard output');
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { event: string; url?: string };
    if (said.event === event) return said;
  }
  throw new Error(`the process ended with ${child.exitCode} before it said ${event}`);
}

export async function killNow(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await exited(child);
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function readLedger(nats: NatsServer): Promise<readonly LedgerEntry[]> {
  const connection = await connect({
    servers: nats.url,
    authenticator: credsAuthenticator(new TextEncoder().encode(nats.serviceUser.creds)),
  });
  try {
    const ledger = await NatsLedger.open(connection, { now: () => new Date() });
    const entries: LedgerEntry[] = [];
    for await (const { entry } of ledger.read({ fromSequence: 1 })) entries.push(entry);
    return entries;
  } finally {
    await connection.close();
  }
}
