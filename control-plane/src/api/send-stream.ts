/**
 * A request whose body is made while it is sent. Not by `fetch`: it takes streams of its own kind only, and turning one into the other
 * costs more than everything else that a sender does.
 */
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export type StreamCall = {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Each part is used until the next one is asked for, and not after that. */
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
};

/** A failure of the connection; what the source of the bytes throws comes as it is. */
export class ConnectionFailure extends Error {}

/**
 * Sends until the server has answered, which it may do before it has everything.
 * @throws ConnectionFailure
 */
export async function postStream({ url, headers, bytes, signal }: StreamCall): Promise<Response> {
  const open = url.protocol === 'https:' ? requestHttps : requestHttp;
  const request = open(url, { method: 'POST', headers, ...(signal === undefined ? {} : { signal }) });
  const answer = answerTo(request);
  const sender = new Sender(request, answer);
  try {
    for await (const part of bytes) if (!(await sender.send(part))) break;
  } catch (error) {
    // Without this the server would wait for what does not come.
    request.destroy();
    throw error;
  }
  request.end();
  const reply = await answer;
  return new Response(await bodyOf(reply), { status: reply.statusCode ?? 0 });
}

async function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once('response', resolve);
  // Stays for errors after the answer: a server that has refused does not read on.
  request.on('error', (cause) => reject(new ConnectionFailure(cause.message, { cause })));
  return promise;
}

class Sender {
  readonly #request: ClientRequest;
  #isAnswered = false;
  #wake = (_goOn: boolean): void => undefined;

  constructor(request: ClientRequest, answer: Promise<unknown>) {
    this.#request = request;
    const end = (): void => {
      this.#isAnswered = true;
      this.#wake(false);
    };
    answer.then(end, end);
  }

  /** True when the part is with the system and its memory may be used again; false when nobody wants more. */
  async send(part: Uint8Array): Promise<boolean> {
    if (this.#isAnswered) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#wake = resolve;
    this.#request.write(part, (error) => resolve(error === undefined || error === null));
    return promise;
  }
}

async function bodyOf(reply: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const parts: Buffer[] = [];
  try {
    for await (const part of reply) parts.push(part as Buffer);
  } catch (cause) {
    throw new ConnectionFailure('the answer broke off', { cause });
  }
  return Buffer.concat(parts);
}
