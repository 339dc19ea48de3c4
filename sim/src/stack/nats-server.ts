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
export const PAYLOAD_BYTES_MAX = 1_048_576;

export type NatsServer = ServerControl & {
  readonly url: string;
  /** Signs the JWTs of vehicles and services. */
  readonly accountSeed: string;
  /** A user that may use every subject of the account, for the control plane. */
  readonly serviceUser: ServiceUser;
  /** What else a server of our own offers; absent when it is somebody else's. */
  readonly local?: LocalNats;
};

/** Keys and addresses that only whoever runs the server has. */
export type LocalNats = {
  readonly trust: TrustDomain;
  /** A user of the system account: tells the server which vehicles are revoked. */
  readonly systemUser: ServiceUser;
  /** Where regional servers connect; absent when the server takes none. */
  readonly leafUrl?: string;
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
  options: LocalServerOptions & { readonly port: number; readonly leafPort?: number },
  resources: AsyncDisposableStack,
): Promise<NatsServer> {
  await mkdir(options.folder, { recursive: true });
  const trust = await loadOrCreateTrustDomain(join(options.folder, 'trust-domain.json'));
  const { port, folder, leafPort } = options;
  const config = natsConfig(trust, { port, folder, ...(leafPort === undefined ? {} : { leafPort }) });
  const server = resources.use(await startServerProcess('nats-server', options, config));
  const local = {
    trust,
    systemUser: await issueServiceUser({ name: 'system', accountSeed: trust.systemAccount.seed }),
    ...(leafPort === undefined ? {} : { leafUrl: `nats-leaf://${LOCAL_HOST}:${leafPort}` }),
  };
  return {
    url: `nats://${LOCAL_HOST}:${options.port}`,
    accountSeed: trust.account.seed,
    serviceUser: await issueServiceUser({ name: 'control-plane', accountSeed: trust.account.seed }),
    local,
    pid: server.pid,
    kill: server.kill,
    restart: server.restart,
  };
}

/** Writes the configuration and starts a nats-server process with it. */
export async function startServerProcess(
  name: string,
  options: LocalServerOptions & { readonly port: number },
  config: string,
): Promise<ServerProcess> {
  const configFile = join(options.folder, 'nats-server.conf');
  await writeFile(configFile, config);
  return ServerProcess.start({
    name,
    command: options.binary,
    args: ['--config', configFile],
    logFile: options.logFile,
    healthTimeoutMs: HEALTH_TIMEOUT_MS,
    isHealthy: async (signal) => greets(options.port, signal),
    onProgress: options.onProgress,
    signal: options.signal,
  });
}

async function loadOrCreateTrustDomain(path: string): Promise<TrustDomain> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  // The file is ours, written below with a rename: it is whole or absent.
  if (text !== undefined) return JSON.parse(text) as TrustDomain;
  const trust = await createTrustDomain();
  await writeFileDurably(path, JSON.stringify(trust, null, 2));
  return trust;
}

/** The JetStream domain of the centre; regions have domains of their own. */
export const HUB_DOMAIN = 'hub';

export type NatsConfigOptions = { readonly port: number; readonly folder: string; readonly leafPort?: number };

/**
 * The configuration file of a server that trusts one operator and serves one account with JetStream. Its account resolver keeps
 * JWTs in a folder, so that an account with revoked users can be pushed to the running server.
 */
export function natsConfig(trust: TrustDomain, options: NatsConfigOptions): string {
  const { port, folder, leafPort } = options;
  const leafNodes =
    leafPort === undefined ? '' : `leafnodes { listen: ${JSON.stringify(`${LOCAL_HOST}:${leafPort}`)} }\n`;
  return `# Written at each start.
server_name: fleetloop-local
listen: ${JSON.stringify(`${LOCAL_HOST}:${port}`)}
max_payload: ${PAYLOAD_BYTES_MAX}
jetstream {
  domain: ${HUB_DOMAIN}
  store_dir: ${JSON.stringify(join(folder, 'jetstream'))}
  sync_interval: always
}
${leafNodes}${accountConfig(trust, folder)}`;
}

/** Operator, accounts and resolver: the same for the centre and its regions. */
export function accountConfig(trust: TrustDomain, folder: string): string {
  return `operator: ${trust.operatorJwt}
system_account: ${trust.systemAccount.publicKey}
resolver: {
  type: full
  dir: ${JSON.stringify(join(folder, 'accounts'))}
}
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
