/** Why: workflows are proven on the real servers and the real control-plane process, with three people who hold a token each. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ApiClient, type ControlPlaneConfigInput } from '@fleetloop/control-plane';
import { type Stack, startStack } from '@fleetloop/sim';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { createUser } from '@nats-io/nkeys';
import { RoadVehicle } from './road-vehicle.ts';
import { type SyntheticDrive, syntheticRecording } from './synthetic-drives.ts';

const MAIN = join(import.meta.dirname, '../../control-plane/src/processes/control-plane.ts');
export const TRAINERS = join(import.meta.dirname, 'trainers');
const PEOPLE = ['olga', 'anton', 'tessa'] as const;
export type Person = (typeof PEOPLE)[number];

export type FlowBench = AsyncDisposable & {
  readonly stack: Stack;
  readonly as: (person: Person) => ApiClient;
  readonly importDrive: (drive: SyntheticDrive, options?: { readonly unlabelled?: boolean }) => Promise<string>;
  readonly enrol: (id: string, hardwareRevision: 'A' | 'B') => Promise<RoadVehicle>;
  /** Ends the control-plane process at once and starts another one over the same folders. */
  readonly killAndRestart: () => Promise<void>;
};

export async function openFlowBench(): Promise<FlowBench> {
  await using resources = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), 'fleetloop-flow-'));
  resources.defer(async () => rm(root, { recursive: true, force: true }));
  const stack = resources.use(await startStack({ root: join(root, 'stack'), onProgress: () => {} }));
  const configFile = await writeConfig(root, stack);
  let control = await startControlPlane(configFile);
  resources.defer(async () => stop(control.child, 'SIGTERM'));
  const creds = credsAuthenticator(new TextEncoder().encode(stack.nats.serviceUser.creds));
  const connection = resources.adopt(await connect({ servers: stack.nats.url, authenticator: creds }), async (open) =>
    open.close(),
  );
  const as = (person: Person): ApiClient => new ApiClient({ url: control.url, token: tokenOf(person) });
  const owned = resources.move();
  return {
    stack,
    as,
    importDrive: async (drive, options = {}) => {
      const query = options.unlabelled === true ? {} : { label: drive.ground };
      const outcome = await as('tessa').postBytes<{ recording: string }>(
        '/v1/imports',
        await syntheticRecording(drive),
        { query },
      );
      return outcome.recording;
    },
    enrol: async (id, hardwareRevision) =>
      enrol({ id, hardwareRevision, connection, api: () => as('tessa'), resources: owned }),
    killAndRestart: async () => {
      await stop(control.child, 'SIGKILL');
      control = await startControlPlane(configFile);
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

type Enrolment = {
  readonly id: string;
  readonly hardwareRevision: 'A' | 'B';
  readonly connection: NatsConnection /** After a restart the API has another address. */;
  readonly api: () => ApiClient;
  readonly resources: AsyncDisposableStack;
};

async function enrol({ id, hardwareRevision, connection, api, resources }: Enrolment): Promise<RoadVehicle> {
  const publicKey = createUser().getPublicKey();
  await api().post('/v1/vehicles', {
    vehicleId: id,
    publicKey,
    hardwareRevision,
    softwareVersion: '1.0.0',
    place: 'ring road',
  });
  const readBlob = async (digest: string): Promise<Uint8Array> => api().getBytes(`/v1/blobs/${digest}`);
  return resources.use(await RoadVehicle.start({ id, hardwareRevision, connection, readBlob }));
}

const tokenOf = (person: Person): string => `token-of-${person}`;

async function writeConfig(root: string, stack: Stack): Promise<string> {
  const seedFile = join(root, 'service.nk');
  const accountSeedFile = join(root, 'account.nk');
  await writeFile(seedFile, stack.nats.serviceUser.seed);
  await writeFile(accountSeedFile, stack.nats.accountSeed);
  const config: ControlPlaneConfigInput = {
    nats: { url: stack.nats.url, jwt: stack.nats.serviceUser.jwt, seedFile, accountSeedFile },
    temporal: { address: stack.temporal.address, namespace: stack.temporal.namespace },
    mlflow: { url: stack.mlflow.url },
    python: stack.python,
    trainersDir: TRAINERS,
    dataDir: join(root, 'data'),
    tokens: Object.fromEntries(PEOPLE.map((person) => [tokenOf(person), person])),
    logLevel: 'error',
  };
  const path = join(root, 'control-plane.json');
  await writeFile(path, JSON.stringify(config));
  return path;
}

async function startControlPlane(configFile: string): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, [MAIN, '--config', configFile], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as { event: string; url: string };
    if (event.event === 'control-plane.ready') return { url: event.url, child };
  }
  throw new Error(`the control plane ended with ${child.exitCode} before it was ready`);
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
