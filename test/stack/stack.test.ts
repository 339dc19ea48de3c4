import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { issueVehicleUser } from '@fleetloop/control-plane';
import { parseVehicleId, subjects, vehiclePermissions } from '@fleetloop/schemas';
import { startStack, type Stack } from '@fleetloop/sim';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { createUser } from '@nats-io/nkeys';
import { connect, credsAuthenticator, jwtAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

const GONE_TIMEOUT_MS = 20_000;
const VEHICLE = parseVehicleId('vehicle-01');
const OTHER_VEHICLE = parseVehicleId('vehicle-02');

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-stack-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true, force: true });
});

describe('a running stack', () => {
  let shared: Stack;
  let sharedRoot: string;

  beforeAll(async () => {
    sharedRoot = await mkdtemp(join(tmpdir(), 'fleetloop-stack-shared-'));
    shared = await startStack({ root: sharedRoot, onProgress: () => {} });
  });

  afterAll(async () => {
    await shared[Symbol.asyncDispose]();
    await rm(sharedRoot, { recursive: true, force: true });
  });

  it('has an MLflow server that answers a tracking call', async () => {
    const response = await fetch(`${shared.mlflow.url}/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default`);
    expect(await response.json()).toMatchObject({ experiment: { name: 'Default' } });
  });

  it('refuses a NATS connection without credentials', async () => {
    await expect(connect({ servers: shared.nats.url, reconnect: false })).rejects.toThrow(/authorization/i);
  });

  it('lets a vehicle publish on its own subjects and on no other', async () => {
    await using vehicle = await connectVehicle(shared);
    const refusals: string[] = [];
    void collectRefusals(vehicle.connection, refusals);
    vehicle.connection.publish(subjects.manifest(VEHICLE, 'normal'), 'mine');
    await vehicle.connection.flush();
    expect(refusals).toEqual([]);
    vehicle.connection.publish(subjects.manifest(OTHER_VEHICLE, 'normal'), 'not mine');
    await vi.waitFor(() => expect(refusals.join('\n')).toContain(subjects.manifest(OTHER_VEHICLE, 'normal')));
  });

  it('does not let a vehicle hear what another vehicle is sent', async () => {
    await using vehicle = await connectVehicle(shared);
    const heard = Promise.withResolvers<Error | undefined>();
    vehicle.connection.subscribe(subjects.receipt(OTHER_VEHICLE), {
      callback: (error) => heard.resolve(error ?? undefined),
    });
    await expect(heard.promise).resolves.toMatchObject({ message: expect.stringMatching(/permission/i) });
  });

  it('keeps what was acknowledged when nats-server is killed and started again', async () => {
    const url = shared.nats.url;
    {
      await using service = await connectService(shared);
      const manager = await jetstreamManager(service.connection);
      await manager.streams.add({ name: 'KEPT', subjects: ['kept.>'] });
      await jetstream(service.connection).publish('kept.one', 'payload');
    }
    const pid = shared.nats.pid();
    await shared.nats.kill();
    await expect(connect({ servers: url, reconnect: false })).rejects.toThrow();
    await shared.nats.restart();
    expect(shared.nats.pid()).not.toBe(pid);
    await using service = await connectService(shared);
    const manager = await jetstreamManager(service.connection);
    expect((await manager.streams.info('KEPT')).state.messages).toBe(1);
  });

  it('has a second stack beside it that it does not notice', async () => {
    {
      await using second = await startStack({ root, onProgress: () => {} });
      expect(second.nats.url).not.toBe(shared.nats.url);
      expect(second.temporal.address).not.toBe(shared.temporal.address);
      expect((await fetch(`${second.mlflow.url}/health`)).ok).toBe(true);
    }
    expect((await fetch(`${shared.mlflow.url}/health`)).ok).toBe(true);
    await using service = await connectService(shared);
    await service.connection.flush();
  });
});

describe('the end of a stack', () => {
  it('leaves no process behind and frees its ports', async () => {
    const stack = await startStack({ root, onProgress: () => {} });
    const pids = pidsOf(stack);
    expect(pids.every(isGroupAlive)).toBe(true);
    await stack[Symbol.asyncDispose]();
    expect(pids.filter(isGroupAlive)).toEqual([]);
    await listenOn(new URL(stack.mlflow.url).port);
  });

  it('comes with the abort signal, too', async () => {
    const abort = new AbortController();
    await using stack = await startStack({ root, signal: abort.signal, onProgress: () => {} });
    const pids = pidsOf(stack);
    abort.abort();
    await vi.waitFor(() => expect(pids.filter(isGroupAlive)).toEqual([]), { timeout: GONE_TIMEOUT_MS });
  });

  it('comes when its process is killed with SIGKILL', async () => {
    const program = `
      import { startStack } from '@fleetloop/sim';
      const { nats, temporal, mlflow } = await startStack({ root: ${JSON.stringify(root)}, onProgress: () => {} });
      console.log(JSON.stringify([nats.pid(), temporal.pid(), mlflow.pid()]));
    `;
    const args = ['--input-type=module-typescript', '--eval', program];
    const owner = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface(owner.stdout), 'line')) as [string];
    const pids = JSON.parse(line) as number[];
    expect(pids.every(isGroupAlive)).toBe(true);
    owner.kill('SIGKILL');
    await vi.waitFor(() => expect(pids.filter(isGroupAlive)).toEqual([]), { timeout: GONE_TIMEOUT_MS });
  });

  it('comes with a clear error when one of the servers cannot start, and the others are stopped', async () => {
    vi.stubEnv('FLEETLOOP_PYTHON', '/bin/false');
    const lines: string[] = [];
    const started = startStack({ root, onProgress: (line) => lines.push(line) });
    await expect(started).rejects.toMatchObject({
      code: 'STACK_UNAVAILABLE',
      message: expect.stringContaining('mlflow'),
    });
    expect(lines.filter((line) => line.includes('ended by itself'))).toEqual([]);
    expect(processesNaming(root)).toEqual([]);
  });

  it('comes before the start is over when the signal aborts', async () => {
    const abort = new AbortController();
    const started = startStack({ root, signal: abort.signal, onProgress: () => {} });
    abort.abort(new Error('interrupted'));
    await expect(started).rejects.toThrow('interrupted');
    expect(processesNaming(root)).toEqual([]);
  });
});

type Connected = AsyncDisposable & { readonly connection: NatsConnection };

async function connectService(stack: Stack): Promise<Connected> {
  const authenticator = credsAuthenticator(new TextEncoder().encode(stack.nats.serviceUser.creds));
  return disposable(await connect({ servers: stack.nats.url, authenticator }));
}

async function connectVehicle(stack: Stack): Promise<Connected> {
  const key = createUser();
  const jwt = await issueVehicleUser({
    vehicleId: VEHICLE,
    publicKey: key.getPublicKey(),
    accountSeed: stack.nats.accountSeed,
    permissions: vehiclePermissions(VEHICLE),
  });
  const authenticator = jwtAuthenticator(jwt, key.getSeed());
  return disposable(
    await connect({ servers: stack.nats.url, authenticator, inboxPrefix: subjects.inboxPrefix(VEHICLE) }),
  );
}

function disposable(connection: NatsConnection): Connected {
  return { connection, [Symbol.asyncDispose]: async () => connection.close() };
}

async function collectRefusals(connection: NatsConnection, refusals: string[]): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'error') refusals.push(status.error.message);
  }
}

function pidsOf(stack: Stack): readonly number[] {
  return [stack.nats.pid(), stack.temporal.pid(), stack.mlflow.pid()].map((pid) => pid ?? 0);
}

function isGroupAlive(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Command lines of running processes that name a folder; each server has its data there. */
function processesNaming(folder: string): readonly string[] {
  const { stdout } = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  const lines = stdout.split('\n');
  expect(lines.length).toBeGreaterThan(1);
  return lines.filter((line) => line.includes(folder));
}

async function listenOn(port: string): Promise<void> {
  const server = createServer().listen(Number(port), '127.0.0.1');
  await once(server, 'listening');
  server.close();
}
