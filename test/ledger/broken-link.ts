/** Why: a link between a writer and the nats-server that breaks at a chosen message, before it or between it and its answer. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { messagesIn } from '../ingest/nats-frames.ts';

/** Breaks once: before the `n`th entry is passed on, or when the server answers the `n`th. */
export type Break = { readonly at: 'entry' | 'answer'; readonly n: number };

export class BrokenLink implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #break: Break | undefined;
  #entries = 0;
  #breaks = 0;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.url = `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (near) => this.#join(near, target));
  }

  static async to(natsUrl: string): Promise<BrokenLink> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new BrokenLink(server, Number(new URL(natsUrl).port));
  }

  /** From now on entries are counted. */
  breakAt(chosen: Break): void {
    this.#break = chosen;
    this.#entries = 0;
  }

  /** How often it broke. */
  get breaks(): number {
    return this.#breaks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket, target: number): void {
    const far = connect(target, '127.0.0.1');
    let isAnswered = false;
    const end = (): void => {
      for (const socket of [near, far]) socket.destroy();
    };
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', end).on('close', end);
    }
    near.on('data', (data) => {
      const { passed, isLast } = this.#pass(data);
      isAnswered ||= this.#break?.at === 'answer' && this.#entries >= this.#break.n;
      far.write(passed, () => {
        if (isLast) this.#cut(end);
      });
    });
    far.on('data', (data) => {
      // The server has stored what it answers; the answer stays on the way.
      if (isAnswered) this.#cut(end);
      else near.write(data);
    });
  }

  #pass(data: Buffer): { readonly passed: Buffer; readonly isLast: boolean } {
    for (const { offset, name } of messagesIn(data)) {
      if (!name.startsWith('ledger.')) continue;
      this.#entries += 1;
      if (this.#break?.at === 'entry' && this.#entries === this.#break.n)
        return { passed: data.subarray(0, offset), isLast: true };
    }
    return { passed: data, isLast: false };
  }

  #cut(end: () => void): void {
    this.#break = undefined;
    this.#breaks += 1;
    end();
  }
}
