/** On real sockets: what asks may be anything, what answers must stay. */
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AgentAnswer,
  type AgentQuestion,
  ANSWER_BYTES_MAX,
  FleetError,
  QUESTION_BYTES_MAX,
} from '@fleetloop/schemas';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentLogger } from '../ports.ts';
import { askAgent } from './control-client.ts';
import { answerLine, openControlSocket } from './control-socket.ts';

const silent = (): void => {};
const logger: AgentLogger = { debug: silent, info: silent, warn: silent, error: silent };
const echo = async (question: AgentQuestion): Promise<unknown> => ({ asked: question });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleetloop-control-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** All that is answered until the other side closes. */
async function send(path: string, parts: readonly Uint8Array[]): Promise<string> {
  const socket = connect(path).on('error', silent);
  const received: Buffer[] = [];
  socket.on('data', (bytes) => received.push(bytes as Buffer));
  const closed = once(socket, 'close');
  for (const part of parts) socket.write(part);
  socket.end();
  await closed;
  return Buffer.concat(received).toString();
}

const line = (question: object): Uint8Array => Buffer.from(`${JSON.stringify(question)}\n`);

describe('the control socket', () => {
  it('answers status and why, whole or in pieces', async () => {
    const path = join(folder, 'whole.sock');
    await using _socket = await openControlSocket(path, echo, logger);
    expect(await askAgent(path, { kind: 'status' })).toEqual({ asked: { kind: 'status' } });
    const bytes = line({ kind: 'why', subject: 'fast-\u00e4' });
    const answer = await send(
      path,
      [...bytes].map((byte) => Uint8Array.of(byte)),
    );
    expect(JSON.parse(answer)).toEqual({ ok: true, answer: { asked: { kind: 'why', subject: 'fast-\u00e4' } } });
  });

  it('answers one typed line to whatever comes', async () => {
    const path = join(folder, 'fuzz.sock');
    await using _socket = await openControlSocket(path, echo, logger);
    const noise = fc.array(fc.uint8Array({ maxLength: 2 * QUESTION_BYTES_MAX }), { maxLength: 3 });
    const almost = fc
      .tuple(fc.json(), fc.constantFrom('', '\n', '\n\n{"kind":"status"}\n'))
      .map(([text, end]) => [Buffer.from(text + end)]);
    await fc.assert(
      fc.asyncProperty(fc.oneof(noise, almost), async (parts) => {
        const reply = JSON.parse(await send(path, parts)) as AgentAnswer<unknown>;
        expect(reply).toMatchObject({ ok: false, code: 'REQUEST_INVALID' });
      }),
      { numRuns: 200 },
    );
    expect(await askAgent(path, { kind: 'status' })).toEqual({ asked: { kind: 'status' } });
  });

  it('passes on what the agent refuses with, and calls a stranger a stranger', async () => {
    const path = join(folder, 'refusing.sock');
    const refuse = async (): Promise<never> => {
      throw new FleetError('NOT_FOUND', 'no such recording');
    };
    await using _socket = await openControlSocket(path, refuse, logger);
    const asked = askAgent(path, { kind: 'why', subject: 'x' });
    await expect(asked).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'no such recording' });

    const strange = join(folder, 'strange.sock');
    const server = createServer((socket) => socket.end('220 smtp ready\n')).listen(strange);
    await once(server, 'listening');
    await expect(askAgent(strange, { kind: 'status' })).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
    server.close();
    await expect(askAgent(join(folder, 'nobody.sock'), { kind: 'status' })).rejects.toMatchObject({
      code: 'AGENT_UNREACHABLE',
    });
  });

  it('says that an answer is too long instead of sending it, measured in bytes', async () => {
    const long = '\u00e4'.repeat(ANSWER_BYTES_MAX / 2);
    const reply = await answerLine('{"kind":"status"}', async () => long);
    expect(JSON.parse(reply)).toMatchObject({ ok: false, code: 'REQUEST_INVALID' });
  });

  it('takes a stale socket’s place, and no other file’s', async () => {
    const path = join(folder, 'taken.sock');
    {
      await using _socket = await openControlSocket(path, echo, logger);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      await expect(openControlSocket(path, echo, logger)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      expect(await askAgent(path, { kind: 'status' })).toEqual({ asked: { kind: 'status' } });
    }
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, 'precious');
    await expect(openControlSocket(path, echo, logger)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(statSync(path).size).toBe(8);
  });

  it('makes the folder that it lies in, or says that it cannot', async () => {
    const path = join(folder, 'deeper', 'agent.sock');
    await using _socket = await openControlSocket(path, echo, logger);
    expect(existsSync(path)).toBe(true);
    const below = join(folder, 'file', 'agent.sock');
    writeFileSync(join(folder, 'file'), '');
    chmodSync(join(folder, 'file'), 0o600);
    await expect(openControlSocket(below, echo, logger)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
