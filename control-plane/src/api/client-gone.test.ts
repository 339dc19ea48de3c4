import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientGone } from './client-gone.ts';

let app: FastifyInstance;
let url = '';
let signals: AbortSignal[];
let begun: PromiseWithResolvers<void>;
let finish: PromiseWithResolvers<void>;

beforeEach(async () => {
  signals = [];
  begun = Promise.withResolvers();
  finish = Promise.withResolvers();
  app = Fastify();
  app.post('/work', async (_request, reply) => {
    signals.push(clientGone(reply));
    begun.resolve();
    await finish.promise;
    return { done: true };
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(async () => {
  finish.resolve();
  await app.close();
});

const body = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };

describe('the signal of a client that is gone', () => {
  it('is not aborted while the client waits, nor by the answer', async () => {
    const answer = fetch(`${url}/work`, body);
    await begun.promise;
    // Another request on the same server: the body of the first has long been read.
    await fetch(`${url}/nothing`);
    expect(signals[0]?.aborted).toBe(false);
    finish.resolve();
    expect(await (await answer).json()).toEqual({ done: true });
    await app.close();
    expect(signals[0]?.aborted).toBe(false);
  });

  it('is aborted when the client leaves before the answer', async () => {
    const leaving = new AbortController();
    const answer = fetch(`${url}/work`, { ...body, signal: leaving.signal });
    await begun.promise;
    const gone = new Promise((resolve) => signals[0]?.addEventListener('abort', resolve));
    leaving.abort();
    await expect(answer).rejects.toThrow(/abort/);
    await gone;
    expect(signals[0]?.aborted).toBe(true);
  });
});
