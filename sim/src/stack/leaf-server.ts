/** Why: a region has a nats-server of its own, so that vehicles can hand over their recordings while the centre is out of reach. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issueServiceUser, relayPermissions, type ServiceUser } from '@fleetloop/control-plane';
import { STREAM_SUBJECTS } from '@fleetloop/schemas';
import { LOCAL_HOST } from './free-port.ts';
import {
  accountConfig,
  HUB_DOMAIN,
  type LocalNats,
  type LocalServerOptions,
  PAYLOAD_BYTES_MAX,
  startServerProcess,
} from './nats-server.ts';
import type { ServerControl } from './server-process.ts';

const OWNER_ONLY = 0o600;

export type LeafServer = ServerControl & {
  readonly url: string;
  /** Its JetStream domain. */
  readonly domain: string;
  /** The user of the relay beside it. */
  readonly relayUser: ServiceUser;
};

export type LeafServerOptions = LocalServerOptions & {
  readonly port: number;
  readonly domain: string;
  /** The centre that it connects to; it starts and serves without it too. */
  readonly hub: LocalNats & { readonly leafUrl: string };
};

/** Starts the nats-server of one region and waits until it greets. */
export async function startLeafServer(
  options: LeafServerOptions,
  resources: AsyncDisposableStack,
): Promise<LeafServer> {
  const { folder, port, domain, hub } = options;
  await mkdir(folder, { recursive: true });
  const { seed: accountSeed } = hub.trust.account;
  const link = await issueServiceUser({ name: `leaf-${domain}`, accountSeed });
  const credentials = join(folder, 'leaf.creds');
  await writeFile(credentials, link.creds, { mode: OWNER_ONLY });
  const server = resources.use(
    await startServerProcess(`nats-server ${domain}`, options, leafConfig(options, credentials)),
  );
  return {
    url: `nats://${LOCAL_HOST}:${port}`,
    domain,
    relayUser: await issueServiceUser({
      name: `relay-${domain}`,
      accountSeed,
      permissions: relayPermissions(domain, HUB_DOMAIN),
    }),
    pid: server.pid,
    kill: server.kill,
    restart: server.restart,
  };
}

/** Uploads of the region stay in the region: the relay brings them on once they are whole and good. */
export function leafConfig(options: LeafServerOptions, credentials: string): string {
  const { hub, domain, port, folder } = options;
  return `# Written at each start.
server_name: fleetloop-${domain}
listen: ${JSON.stringify(`${LOCAL_HOST}:${port}`)}
max_payload: ${PAYLOAD_BYTES_MAX}
jetstream {
  domain: ${domain}
  store_dir: ${JSON.stringify(join(folder, 'jetstream'))}
  sync_interval: always
}
leafnodes {
  reconnect: 1
  remotes: [
    {
      url: ${JSON.stringify(hub.leafUrl)}
      account: ${hub.trust.account.publicKey}
      credentials: ${JSON.stringify(credentials)}
      deny_exports: [${JSON.stringify(STREAM_SUBJECTS.uplink)}]
      deny_imports: [${JSON.stringify(STREAM_SUBJECTS.uplink)}]
    }
  ]
}
${accountConfig(hub.trust, folder)}`;
}
