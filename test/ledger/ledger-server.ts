/** Why: the ledger is only as good as the server beneath it, so its tests run on a real nats-server with a fresh folder. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NatsLedger } from '@fleetloop/control-plane';
import type { NewFact } from '@fleetloop/schemas';
import { cacheFolder, findFreePorts, findServer, NATS_SERVER, type NatsServer, startNatsServer } from '@fleetloop/sim';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { TinyDisk } from './tiny-disk.ts';

export type LedgerServer = AsyncDisposable & {
  readonly nats: NatsServer;
  readonly root: string;
  /** By the address of the server, or of whoever stands in front of it. */
  readonly connect: (url?: string) => Promise<NatsConnection>;
  /** A ledger on a connection of its own, closed with the server. */
  readonly openLedger: (url?: string) => Promise<NatsLedger>;
};

export type LedgerServerOnDisk = LedgerServer & { readonly disk: TinyDisk };

/** With `diskBytes`, its store is on a disk of that size; undefined where the machine forbids such a disk. */
export async function startLedgerServer(): Promise<LedgerServer>;
export async function startLedgerServer(options: {
  readonly diskBytes: number;
}): Promise<LedgerServerOnDisk | undefined>;
export async function startLedgerServer({
  diskBytes,
}: {
  readonly diskBytes?: number;
} = {}): Promise<LedgerServer | undefined> {
  await using resources = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), 'fleetloop-ledger-'));
  resources.defer(async () => rm(root, { recursive: true, force: true }));
  const common = { onProgress: () => {}, signal: new AbortController().signal };
  const installed = await findServer(NATS_SERVER, { cache: cacheFolder(), ...common });
  const [port = 0] = await findFreePorts(1);
  const folder = join(root, 'nats');
  const store = join(folder, 'jetstream');
  await mkdir(store, { recursive: true });
  const disk = diskBytes === undefined ? undefined : await TinyDisk.mount(store, diskBytes);
  if (disk !== undefined) resources.use(disk);
  else if (diskBytes !== undefined) return undefined;
  const binary = disk === undefined ? installed : await disk.wrap(installed, join(root, 'nats-server'));
  const nats = await startNatsServer({ binary, folder, logFile: join(root, 'nats.log'), port, ...common }, resources);
  const connectService = async (url = nats.url): Promise<NatsConnection> => {
    const connection = await connect({
      servers: url,
      authenticator: credsAuthenticator(new TextEncoder().encode(nats.serviceUser.creds)),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    });
    owned.defer(async () => connection.close());
    return connection;
  };
  const owned = resources.move();
  return {
    nats,
    root,
    connect: connectService,
    ...(disk === undefined ? {} : { disk }),
    openLedger: async (url) => NatsLedger.open(await connectService(url), { now: () => new Date() }),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

/** A fact of no consequence about one vehicle. */
export function enrolled(vehicleId: string, place = 'Oulu'): NewFact {
  const body = { vehicleId, publicKey: 'UKEY', hardwareRevision: 'A', softwareVersion: '1.0.0', place };
  return { kind: 'vehicle.enrolled', key: vehicleId, actor: 'installer', body };
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
