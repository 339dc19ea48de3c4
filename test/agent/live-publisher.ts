/** A process that publishes to a live agent, well or badly: `live-publisher.ts <manner> <socket> <topic> <count>`. */
import { createConnection, type Socket } from 'node:net';
import { once } from 'node:events';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { connectPublisher } from '@fleetloop/edge-agent/publish';
import { ToAgentSchema } from '@fleetloop/schemas/wire';

const [, , manner = '', socketPath = '', topic = '', count = '0'] = process.argv;
const READY_TIMEOUT_MS = 30_000;
const STEP_MS = 2;

const pause = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, STEP_MS));

/** Publishes `count` numbered values and ends; 0 goes on until it is killed. */
async function steady(): Promise<void> {
  await using publisher = connectPublisher({ socketPath, name: 'steady', whenFull: 'wait' });
  const channel = publisher.declareSignals({
    topic,
    signals: [{ path: 'Vehicle.Speed', unit: 'm/s' }],
    clock: { kind: 'boot' },
  });
  await publisher.ready(AbortSignal.timeout(READY_TIMEOUT_MS));
  console.log('ready');
  for (let index = 0; count === '0' || index < Number(count); index += 1) {
    while (!channel.publish([index], { stampNs: process.hrtime.bigint() })) await publisher.drained();
    if (index % 5 === 4) await pause();
  }
  await publisher.flush(AbortSignal.timeout(READY_TIMEOUT_MS));
}

type Kind = NonNullable<MessageInitShape<typeof ToAgentSchema>['kind']>;

function frame(kind: Kind): Buffer {
  const message = toBinary(ToAgentSchema, create(ToAgentSchema, { kind }));
  const header = Buffer.alloc(4);
  header.writeUInt32LE(message.length);
  return Buffer.concat([header, message]);
}

/** Opens connections for ever and hands each to `abuse` until the agent closes it. */
async function misbehave(abuse: (socket: Socket) => Promise<void>): Promise<never> {
  console.log('ready');
  for (;;) {
    const socket = createConnection(socketPath).on('error', () => {});
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await Promise.race([abuse(socket), closed]);
    socket.destroy();
    await pause();
  }
}

async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (!socket.write(bytes)) await once(socket, 'drain').catch(() => {});
}

function greeting(name: string): Buffer {
  const form = { case: 'opaque' as const, value: { schemaName: 'Noise', messageEncoding: 'raw' } };
  return Buffer.concat([
    frame({ case: 'hello', value: { protocolVersion: 1, publisher: name } }),
    frame({ case: 'declare', value: { channel: 0, topic, form } }),
  ]);
}

/** Never waits for credit. */
async function flood(socket: Socket): Promise<void> {
  socket.resume();
  await write(socket, greeting('flood'));
  const entries = Array.from({ length: 64 }, () => ({ channel: 0, data: new Uint8Array(1_000) }));
  const batch = frame({ case: 'publish', value: { entries } });
  while (!socket.destroyed) await write(socket, batch);
}

async function garbage(socket: Socket): Promise<void> {
  socket.resume();
  const bytes = Buffer.alloc(4_096);
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = Math.floor(Math.random() * 256);
  await write(socket, bytes);
  await once(socket, 'close');
}

/** Asks without end and reads no answer. */
async function deaf(socket: Socket): Promise<void> {
  await write(socket, greeting('deaf'));
  const pings = Buffer.concat(Array.from({ length: 256 }, () => frame({ case: 'ping', value: { id: 1n } })));
  while (!socket.destroyed) await write(socket, pings);
}

/** Claims a frame and sends half of it. */
async function half(socket: Socket): Promise<void> {
  socket.resume();
  const whole = frame({ case: 'publish', value: { entries: [{ channel: 0, data: new Uint8Array(1_000) }] } });
  await write(socket, Buffer.concat([greeting('half'), whole.subarray(0, 500)]));
  await once(socket, 'close');
}

const ABUSES = { flood, garbage, deaf, half };
if (manner === 'steady') await steady();
else await misbehave(ABUSES[manner as keyof typeof ABUSES]);
