/** The control plane as its own process on the local stack, with one token per person of the story. */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiClient } from '@fleetloop/control-plane';
import { cacheFolder } from '../stack/cache-folder.ts';
import { findFreePorts, LOCAL_HOST } from '../stack/free-port.ts';
import type { NatsServer } from '../stack/nats-server.ts';
import { ServerProcess } from '../stack/server-process.ts';
import type { Stack } from '../stack/stack.ts';

const MAIN = join(import.meta.dirname, '../../../control-plane/src/processes/control-plane.ts');
const START_TIMEOUT_MS = 60_000;

/** The actors of the local stack; each has a token of its own. */
export const ACTORS = ['ml-engineer', 'safety-engineer', 'annotator', 'fleet-operator', 'auditor'] as const;
export type Actor = (typeof ACTORS)[number];

export type ControlPlaneProcess = AsyncDisposable & {
  readonly url: string;
  readonly folder: string;
  readonly process: ServerProcess;
  /** A client that acts as `actor`. */
  readonly as: (actor: Actor) => ApiClient;
  readonly tokenOf: (actor: Actor) => string;
};

export type ControlPlaneOptions = {
  readonly stack: Stack;
  readonly folder: string;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
};

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlaneProcess> {
  const { stack, folder } = options;
  await mkdir(folder, { recursive: true });
  const [port = 0] = await findFreePorts(1);
  const tokens = new Map(ACTORS.map((actor) => [actor, randomBytes(16).toString('hex')]));
  const config = join(folder, 'control-plane.json');
  await writeConfig(config, options, port, tokens);
  const url = `http://${LOCAL_HOST}:${port}`;
  const as = (actor: Actor): ApiClient => new ApiClient({ url, token: tokens.get(actor) ?? '' });
  const process = await ServerProcess.start({
    name: 'control-plane',
    command: globalThis.process.execPath,
    args: [MAIN, '--config', config],
    logFile: join(stack.logs, 'control-plane.log'),
    isHealthy: async (signal) => (await fetch(`${url}/v1/health`, { signal })).ok,
    healthTimeoutMs: START_TIMEOUT_MS,
    onProgress: options.onProgress,
    signal: options.signal,
  });
  return {
    url,
    folder,
    process,
    as,
    tokenOf: (actor) => tokens.get(actor) ?? '',
    [Symbol.asyncDispose]: async () => process[Symbol.asyncDispose](),
  };
}

async function writeConfig(
  path: string,
  options: ControlPlaneOptions,
  port: number,
  tokens: ReadonlyMap<string, string>,
): Promise<void> {
  const { stack, folder } = options;
  const seedFile = join(folder, 'service.nk');
  const accountSeedFile = join(folder, 'account.nk');
  await writeFile(seedFile, stack.nats.serviceUser.seed, { mode: 0o600 });
  await writeFile(accountSeedFile, stack.nats.accountSeed, { mode: 0o600 });
  const config = {
    nats: {
      url: stack.nats.url,
      jwt: stack.nats.serviceUser.jwt,
      seedFile,
      accountSeedFile,
      ...(await systemAccess(stack.nats, folder)),
    },
    temporal: { address: stack.temporal.address, namespace: stack.temporal.namespace, taskQueue: 'fleetloop' },
    mlflow: { url: stack.mlflow.url },
    python: stack.python,
    dataDir: join(folder, 'data'),
    // Bundling takes seconds and 250 MB; stacks with the same code share it.
    workflowBundleDir: join(cacheFolder(), 'workflow-bundle'),
    api: { host: LOCAL_HOST, port },
    tokens: Object.fromEntries([...tokens].map(([actor, token]) => [token, actor])),
  };
  await writeFile(path, JSON.stringify(config, undefined, 2), { mode: 0o600 });
}

/** A server of our own can be told of revocations; somebody else's cannot. */
async function systemAccess({ local }: NatsServer, folder: string): Promise<object> {
  if (local === undefined) return {};
  const seedFile = join(folder, 'system.nk');
  const operatorSeedFile = join(folder, 'operator.nk');
  await writeFile(seedFile, local.systemUser.seed, { mode: 0o600 });
  await writeFile(operatorSeedFile, local.trust.operatorSeed, { mode: 0o600 });
  return { system: { jwt: local.systemUser.jwt, seedFile, operatorSeedFile } };
}
