/** Streams to a real server: reused memory, answers before the end, and sources and servers that break off. */
import { createHash } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { bodyParts } from '../import/body-parts.ts';
import { ConnectionFailure, postStream } from './send-stream.ts';

const PIECES = 200;
const PIECE_BYTES = 100_000;

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  if (server?.listening === true) await once(server, 'close');
});

async function listen(answer: RequestListener): Promise<URL> {
  server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

/** One buffer for all pieces, as a file is read. */
async function* pieces(count = PIECES): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let index = 0; index < count; index += 1) yield buffer.fill(index);
}

async function digestOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of bytes) hash.update(part);
  return hash.digest('hex');
}

describe('a stream as the body of a request', () => {
  it('arrives as it was, although its memory is used again at both ends', async () => {
    const url = await listen((request, response) => {
      void digestOf(bodyParts(request, request)).then((digest) => response.end(digest));
    });
    const reply = await postStream({ url, headers: {}, bytes: pieces() });
    expect([reply.status, await reply.text()]).toEqual([200, await digestOf(pieces())]);
  });

  it('ends with the answer of a server that does not want all of it', async () => {
    const url = await listen((_request, response) => response.writeHead(409).end('no'));
    const reply = await postStream({ url, headers: {}, bytes: pieces(1_000_000) });
    expect([reply.status, await reply.text()]).toEqual([409, 'no']);
  });

  it('fails with what its source says, and the server is told', async () => {
    const told = Promise.withResolvers<string>();
    const url = await listen((request) => {
      digestOf(request).then(told.resolve, (error: Error) => told.resolve(error.message));
    });
    const broken = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      yield* pieces(3);
      throw new Error('the disk is gone');
    };
    await expect(postStream({ url, headers: {}, bytes: broken() })).rejects.toThrow('the disk is gone');
    expect(await told.promise).toBe('aborted');
  });

  it('fails as a connection where the server goes away, or was never there', async () => {
    const url = await listen((request) => request.socket.destroy());
    await expect(postStream({ url, headers: {}, bytes: pieces() })).rejects.toBeInstanceOf(ConnectionFailure);
    server?.close();
    await expect(postStream({ url, headers: {}, bytes: pieces() })).rejects.toBeInstanceOf(ConnectionFailure);
  });
});
