/** A real server that answers in the middle of a body: its client sees the answer, and the server can stop. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { closeIfUnread } from './lingering-close.ts';
import { postStream } from './send-stream.ts';

async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
  for (let index = 0; index < 1_000; index += 1) yield new Uint8Array(256 * 1024);
}

describe('a request that was not read to its end', () => {
  it.each([
    ['waits for more', async () => undefined],
    ['gives the body up', async (body: AsyncIterator<unknown>) => body.return?.()],
  ])('does not keep a server from stopping whose reader %s', async (_what, end) => {
    const server = createServer((request, response) => {
      closeIfUnread(request, response);
      const body = request[Symbol.asyncIterator]();
      void body
        .next()
        .then(async () => end(body))
        .then(() => response.writeHead(507).end('full'));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const reply = await postStream({ url, headers: {}, bytes: pieces() });
    expect([reply.status, await reply.text()]).toEqual([507, 'full']);
    const closed = once(server, 'close');
    server.close();
    await closed;
  });
});
