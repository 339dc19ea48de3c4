/** Why: the ledger is only as good as the server beneath it, so its tests run on a real nats-server with a fresh folder. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NatsLedger } from '@fleetloop/control-plane';
import type { NewFact } from '@fleetloop/schemas';
import { cacheFolder, findFreePorts, findServer, NATS_SERVER, type NatsServer, startNatsServer } from '@fleetloop/sim';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';

export type LedgerServer = AsyncDisposable & {
  readonly nats: NatsServer;
  readonly root: string;
  readonly connect: () => Promise<NatsConnection>;
  /** A ledger on a connection of its own, closed with the server. */
  readonly openLedger: () => Promise<NatsLedger>;
};

export async function startLedgerServer(): Promise<LedgerServer> {
  await using resources = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), 'fleetloop-ledger-'));
  resources.defer(async () => rm(root, { recursive: true, force: true }));
  const common = { onProgress: () => {}, signal: new AbortController().signal };
  const binary = await findServer(NATS_SERVER, { cache: cacheFolder(), ...common });
  const [port = 0] = await findFreePorts(1);
  const folder = join(root, 'nats');
  await mkdir(folder);
  const nats = await startNatsServer({ binary, folder, logFile: join(root, 'nats.log'), port, ...common }, resources);
  const connectService = async (): Promise<NatsConnection> => {
    const connection = await connect({
      servers: nats.url,
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
    openLedger: async () => NatsLedger.open(await connectService(), { now: () => new Date() }),
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
