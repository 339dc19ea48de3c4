/** Answers questions on a socket file of the vehicle: one JSON line in, one JSON line out. Who may open the file may ask. */
import { mkdir } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import {
  type AgentAnswer,
  type AgentQuestion,
  ANSWER_BYTES_MAX,
  FleetError,
  parseAgentQuestion,
  QUESTION_BYTES_MAX,
} from '@fleetloop/schemas';
import type { AgentLogger } from '../ports.ts';
import { listenOnSocketFile } from './socket-file.ts';

const CONNECTIONS_MAX = 8;
const IDLE_TIMEOUT_MS = 5_000;

export type Answerer = (question: AgentQuestion) => Promise<unknown>;

/**
 * A stale file is replaced. Holding it is also what keeps a second agent away from the same state.
 * @throws FleetError CONFIG_INVALID when the path cannot be listened on, or another process listens there
 */
export async function openControlSocket(path: string, answer: Answerer, logger: AgentLogger): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true }).catch((cause: unknown) => {
    throw new FleetError('CONFIG_INVALID', `the folder of the control socket ${path} cannot be made`, { cause });
  });
  const sockets = new Set<Socket>();
  // Half open: whoever asks may close his side before he is answered.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, answer, logger);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listenOnSocketFile(server, path, undefined);
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      // Closing takes the file away as well.
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function serve(socket: Socket, answer: Answerer, logger: AgentLogger): void {
  let text = '';
  const reply = (line: string): void => {
    socket.removeAllListeners('data').removeAllListeners('end').resume();
    void answerLine(line, answer).then((answered) => socket.end(`${answered}\n`));
  };
  socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
  socket.on('error', (error) => logger.debug({ reason: error.message }, 'health.socket.failed'));
  socket.setEncoding('utf8');
  socket.on('end', () => reply(text));
  socket.on('data', (part: string) => {
    text += part;
    const end = text.indexOf('\n');
    if (end !== -1) reply(text.slice(0, end));
    else if (text.length > QUESTION_BYTES_MAX) reply('');
  });
}

/** One line of JSON for one line of JSON; never throws. */
export async function answerLine(line: string, answer: Answerer): Promise<string> {
  let reply: AgentAnswer<unknown>;
  try {
    reply = { ok: true, answer: await answer(parseAgentQuestion(line)) };
  } catch (error) {
    const { code, message } = FleetError.from(error);
    reply = { ok: false, code, message };
  }
  const text = JSON.stringify(reply);
  if (Buffer.byteLength(text) <= ANSWER_BYTES_MAX) return text;
  return JSON.stringify({
    ok: false,
    code: 'REQUEST_INVALID',
    message: 'the answer is too long: ask for one campaign or event',
  });
}
