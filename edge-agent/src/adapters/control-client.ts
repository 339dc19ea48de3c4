/** Asks the agent of this vehicle. */
import { connect } from 'node:net';
import {
  type AgentAnswer,
  type AgentQuestion,
  ANSWER_BYTES_MAX,
  ERROR_TABLE,
  type ErrorCode,
  FleetError,
} from '@fleetloop/schemas';

const TIMEOUT_MS = 5_000;

/** @throws FleetError AGENT_UNREACHABLE when no agent answers, or what the agent itself refuses with */
export async function askAgent(path: string, question: AgentQuestion): Promise<unknown> {
  const text = await exchange(path, `${JSON.stringify(question)}\n`);
  const reply = parseReply(text, path);
  if (reply.ok) return reply.answer;
  const { code, message } = reply;
  throw new FleetError(isErrorCode(code) ? code : 'AGENT_UNREACHABLE', message);
}

async function exchange(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      socket.destroy();
      reject(
        new FleetError(
          'AGENT_UNREACHABLE',
          `no agent answers on ${path} (${cause.message}): is it running, and may you open the file?`,
          { cause },
        ),
      );
    };
    let text = '';
    const socket = connect(path, () => socket.write(line));
    socket.setEncoding('utf8');
    socket.setTimeout(TIMEOUT_MS, () => fail(new Error(`nothing within ${TIMEOUT_MS} ms`)));
    socket.on('error', fail);
    socket.on('data', (part: string) => {
      text += part;
      if (text.length > 2 * ANSWER_BYTES_MAX) fail(new Error('the answer does not end'));
    });
    socket.on('end', () => resolve(text));
  });
}

function parseReply(text: string, path: string): AgentAnswer<unknown> {
  try {
    return JSON.parse(text) as AgentAnswer<unknown>;
  } catch (cause) {
    throw new FleetError('AGENT_UNREACHABLE', `what answers on ${path} is no agent of this version`, { cause });
  }
}

const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERROR_TABLE, text);
