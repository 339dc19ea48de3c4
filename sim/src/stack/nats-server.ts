/** Why: the local nats-server runs as a production one would: operator JWTs, no passwords, every append on disk. */
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createTrustDomain, issueServiceUser, type ServiceUser, type TrustDomain } from '@fleetloop/control-plane';
import { writeFileDurably } from './durable-file.ts';
import { LOCAL_HOST } from './free-port.ts';
import { ServerProcess, type ServerControl } from './server-process.ts';
import type { Progress } from './progress.ts';

const HEALTH_TIMEOUT_MS = 60_000;
/** A chunk is at most 512 KiB; the rest is headroom for headers. */
const PAYLOAD_BYTES_MAX = 1_048_576;

export type NatsServer = ServerControl & {
  readonly url: string;
  /** Signs the JWTs of vehicles and services. */
  readonly accountSeed: string;
  /** A user that may use every subject of the account, for the control plane. */
  readonly serviceUser: ServiceUser;
};

export type LocalServerOptions = {
  readonly binary: string;
  /** Data, configuration and keys of this server; used again when it holds some. */
  readonly folder: string;
  readonly logFile: string;
  readonly onProgress: Progress;
  readonly signal: AbortSignal;
};

/** Starts a local nats-server and waits until it greets. */
export async function startNatsServer(
  options: LocalServerOptions & { readonly port: number },
  resources: AsyncDisposableStack,
): Promise<NatsServer> {
  await mkdir(options.folder, { recursive: true });
  const trust = await loadOrCreateTrustDomain(join(options.folder, 'trust-domain.json'));
  const configFile = join(options.folder, 'nats-server.conf');
  await writeFile(configFile, natsConfig(trust, options.port, join(options.folder, 'jetstream')));
  const server = resources.use(
    await ServerProcess.start({
      name: 'nats-server',
      command: options.binary,
      args: ['--config', configFile],
      logFile: options.logFile,
      healthTimeoutMs: HEALTH_TIMEOUT_MS,
      isHealthy: async (signal) => greets(options.port, signal),
      onProgress: options.onProgress,
      signal: options.signal,
    }),
  );
  return {
    url: `nats://${LOCAL_HOST}:${options.port}`,
    accountSeed: trust.account.seed,
    serviceUser: await issueServiceUser({ name: 'control-plane', accountSeed: trust.account.seed }),
    pid: server.pid,
    kill: server.kill,
    restart: server.restart,
  };
}

async function loadOrCreateTrustDomain(path: string): Promise<TrustDomain> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  // The file is ours, written below with a rename: it is whole or absent.
  if (text !== undefined) return JSON.parse(text) as TrustDomain;
  const trust = await createTrustDomain();
  await writeFileDurably(path, JSON.stringify(trust, null, 2));
  return trust;
}

/** The configuration file of a server that trusts one operator and serves one account with JetStream. */
export function natsConfig(trust: TrustDomain, port: number, storeFolder: string): string {
  return `# Written at each start.
server_name: fleetloop-local
listen: ${JSON.stringify(`${LOCAL_HOST}:${port}`)}
max_payload: ${PAYLOAD_BYTES_MAX}
jetstream {
  store_dir: ${JSON.stringify(storeFolder)}
  sync_interval: always
}
operator: ${trust.operatorJwt}
system_account: ${trust.systemAccount.publicKey}
resolver: MEMORY
resolver_preload: {
  ${trust.systemAccount.publicKey}: ${trust.systemAccount.jwt}
  ${trust.account.publicKey}: ${trust.account.jwt}
}
`;
}

/** A nats-server sends its INFO line first, and listens only after it has recovered its streams. */
async function greets(port: number, signal: AbortSignal): Promise<boolean> {
  const socket = connect({ host: LOCAL_HOST, port, signal });
  try {
    const [greeting] = (await once(socket, 'data', { signal })) as [Buffer];
    return greeting.toString('latin1').startsWith('INFO {');
  } finally {
    socket.destroy();
  }
}
