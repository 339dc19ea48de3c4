import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUser } from '@nats-io/nkeys';
import pino from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { GatedIntake } from '../ingest/intake.ts';
import { consumeUplinkOnThread } from './threaded-uplink.ts';

const FAILURES = 2;
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-uplink-'));
});
afterEach(async () => rm(root, { recursive: true }));

/** Nothing is handed in, so nothing is asked. */
const unasked = async (): Promise<never> => {
  throw new Error('nobody sends anything');
};
const intake: GatedIntake = {
  admitChunk: unasked,
  takeChunk: unasked,
  takeManifest: unasked,
  takeTombstone: unasked,
  takeRelayRefusal: unasked,
};

it('starts its thread again when it has failed, says why each time, and ends when it is told', async () => {
  // A server that hangs up on everybody.
  await using server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const seedFile = join(root, 'seed');
  await writeFile(seedFile, createUser().getSeed());
  const stop = new AbortController();
  const said: string[] = [];
  const write = (line: string): void => {
    said.push(line);
    if (said.length === FAILURES) stop.abort();
  };
  await consumeUplinkOnThread(
    {
      nats: { url: `127.0.0.1:${address.port}`, jwt: 'none', seedFile },
      name: 'uplink',
      stream: 'uplink',
      consumer: 'ingest',
      lanes: [],
      concurrency: 1,
      staging: join(root, 'staging'),
      intake,
      logger: pino({ level: 'warn' }, { write }),
    },
    stop.signal,
  );
  expect(said).toHaveLength(FAILURES);
  for (const line of said)
    expect(JSON.parse(line)).toMatchObject({
      msg: 'ingest.uplink.interrupted',
      err: { message: expect.stringContaining(`127.0.0.1:${address.port} does not answer`) as string },
    });
});
