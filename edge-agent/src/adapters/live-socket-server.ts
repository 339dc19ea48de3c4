/** The local socket: bytes of publishers to their connections, and their orders back to the sockets. */
import { createServer, type Server, type Socket } from 'node:net';
import { FleetError } from '@fleetloop/schemas';
import { encodeToPublisher } from '../capture/live-answers.ts';
import { type ConnectionEffect, LiveConnection } from '../capture/live-connection.ts';
import type { LiveIntake } from '../capture/live-intake.ts';
import type { AgentLogger } from '../ports.ts';
import { listenOnSocketFile } from './socket-file.ts';

/** Answers that a publisher has not read, at most. */
const UNREAD_BYTES_MAX = 256 * 1_024;
/** How long a publisher may owe its hello or the rest of a frame. */
const OWING_MS_MAX = 10_000;
const PATROL_INTERVAL_MS = 1_000;
/** A publisher over its rate is looked at again this often. */
const PAUSE_MS_MAX = 1_000;

export type LiveSocketOptions = {
  readonly path: string;
  readonly groupId?: number | undefined;
  readonly intake: LiveIntake;
  readonly logger: AgentLogger;
};

type Peer = {
  readonly socket: Socket;
  readonly connection: LiveConnection;
  pauseTimer: NodeJS.Timeout | undefined;
  owingPatrols: number;
};

export class LiveSocketServer {
  readonly #options: LiveSocketOptions;
  readonly #server: Server;
  readonly #peers = new Set<Peer>();
  #patrol: NodeJS.Timeout | undefined;

  private constructor(options: LiveSocketOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#welcome(socket));
  }

  /** @throws FleetError CONFIG_INVALID for a path that cannot be listened on */
  static async open(options: LiveSocketOptions): Promise<LiveSocketServer> {
    const server = new LiveSocketServer(options);
    await listenOnSocketFile(server.#server, options.path, options.groupId);
    server.#server.on('error', (error) => options.logger.error({ reason: error.message }, 'live.socket.failed'));
    server.#patrol = setInterval(() => server.#checkPeers(), PATROL_INTERVAL_MS).unref();
    options.logger.info({ path: options.path }, 'live.socket.listening');
    return server;
  }

  get publishers(): readonly { readonly name: string | undefined; readonly taken: number; readonly dropped: number }[] {
    return [...this.#peers].map(({ connection }) => ({ name: connection.publisher, ...connection.counters }));
  }

  /** Nobody can connect any more; what was taken stays in the queue. Removes the socket file. */
  async close(): Promise<void> {
    clearInterval(this.#patrol);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const { socket } of this.#peers) socket.destroy();
    await closed;
  }

  #welcome(socket: Socket): void {
    let connection: LiveConnection;
    // A peer that is gone says so by `close`, which always follows.
    socket.on('error', () => {});
    try {
      connection = new LiveConnection(this.#options.intake, (effects) => this.#perform(peer, effects));
    } catch (error) {
      const { code, message } = FleetError.from(error);
      this.#options.logger.warn({ code, message }, 'live.publisher.refused');
      socket.end(encodeToPublisher({ case: 'refused', value: { code, message, dropped: 0 } }));
      socket.resume();
      socket.setTimeout(PATROL_INTERVAL_MS, () => socket.destroy());
      return;
    }
    const peer: Peer = { socket, connection, pauseTimer: undefined, owingPatrols: 0 };
    this.#peers.add(peer);
    socket.on('data', (chunk: Uint8Array) => {
      peer.owingPatrols = connection.isOwing ? peer.owingPatrols : 0;
      this.#perform(peer, connection.receive(chunk, this.#options.intake.monotonicNs()));
    });
    socket.once('close', () => this.#farewell(peer));
  }

  #farewell(peer: Peer): void {
    clearTimeout(peer.pauseTimer);
    this.#peers.delete(peer);
    peer.connection.close();
    this.#options.logger.info(
      { publisher: peer.connection.publisher, ...peer.connection.counters },
      'live.publisher.gone',
    );
  }

  #perform(peer: Peer, effects: readonly ConnectionEffect[]): void {
    const { socket } = peer;
    if (socket.destroyed) return;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          socket.write(effect.frame);
          break;
        case 'pause':
          socket.pause();
          clearTimeout(peer.pauseTimer);
          peer.pauseTimer = setTimeout(() => socket.resume(), Math.min(effect.durationMs, PAUSE_MS_MAX));
          break;
        case 'cut':
          this.#cut(peer, effect.error);
          break;
      }
    }
    if (socket.writableLength > UNREAD_BYTES_MAX) {
      this.#cut(
        peer,
        new FleetError('PUBLISH_LIMIT', `a publisher does not read its answers (${UNREAD_BYTES_MAX} bytes)`),
      );
    }
  }

  #cut({ socket, connection }: Peer, { code, message }: FleetError): void {
    this.#options.logger.warn({ publisher: connection.publisher, code, message }, 'live.publisher.cut');
    // Ended, so that it can read why; destroyed when that is sent, or with the next patrol.
    socket.pause();
    socket.end(() => socket.destroy());
    socket.setTimeout(PATROL_INTERVAL_MS, () => socket.destroy());
  }

  #checkPeers(): void {
    for (const peer of this.#peers) {
      peer.owingPatrols = peer.connection.isOwing ? peer.owingPatrols + 1 : 0;
      if (peer.owingPatrols * PATROL_INTERVAL_MS < OWING_MS_MAX) continue;
      peer.connection.close();
      this.#cut(peer, new FleetError('PUBLISH_MALFORMED', 'a publisher did not finish its hello or a frame in time'));
    }
  }
}
