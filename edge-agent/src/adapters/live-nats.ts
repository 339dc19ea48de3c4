/** A NATS server on the vehicle as a live source: core NATS, what is not taken in time is dropped and counted, never kept. */
import { readFile } from 'node:fs/promises';
import { FleetError } from '@fleetloop/schemas';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import type { LiveBinding } from '../capture/live-channels.ts';
import type { LiveIntake } from '../capture/live-intake.ts';
import type { LiveConfig, NatsSubject } from '../capture/live-limits.ts';
import { checkSubjects, declarationOf, makeNatsDecoder } from '../capture/live-nats-decoder.ts';
import type { AgentLogger } from '../ports.ts';
import { systemClock } from './system-clock.ts';

const RECONNECT_WAIT_MS = 1_000;
const REFUSED_WAIT_MS = 5_000;

export type LiveNatsOptions = {
  readonly config: NonNullable<LiveConfig['nats']>;
  readonly intake: LiveIntake;
  readonly logger: AgentLogger;
};

export class LiveNats {
  readonly #options: LiveNatsOptions;
  readonly #closing = new AbortController();
  readonly #bindings: readonly (readonly [NatsSubject, LiveBinding])[];
  #connection: NatsConnection | undefined;
  #waitingMessages = 0;
  #waitingBytes = 0;
  #connections = 0;
  readonly #kept: Promise<void>;
  readonly #owner = {
    released: (messages: number, bytes: number): void => {
      this.#waitingMessages -= messages;
      this.#waitingBytes -= bytes;
    },
  };

  /** Declares the topics and starts to connect; it connects again for ever. @throws FleetError CONFIG_INVALID, SIGNAL_UNKNOWN, UNIT_UNKNOWN, PUBLISH_* */
  constructor(options: LiveNatsOptions) {
    const { config, intake } = options;
    checkSubjects(config.subjects);
    intake.enter();
    this.#options = options;
    this.#bindings = config.subjects.map((subject) => [subject, intake.bind(declarationOf(subject))]);
    this.#kept = this.#keepConnected();
  }

  get isConnected(): boolean {
    return this.#connection !== undefined && !this.#connection.isClosed();
  }

  /** Times that it was connected to the server and has subscribed. */
  get connections(): number {
    return this.#connections;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#connection?.close();
    await this.#kept;
    for (const [, binding] of this.#bindings) this.#options.intake.channels.unbind(binding);
    this.#options.intake.leave();
  }

  async #keepConnected(): Promise<void> {
    const { config, logger } = this.#options;
    while (!this.#closing.signal.aborted) {
      try {
        const connection = await this.#connect();
        await this.#serve(connection);
      } catch (error) {
        logger.warn({ url: config.url, reason: FleetError.from(error).message }, 'live.nats.failed');
      }
      this.#connection = undefined;
      if (!this.#closing.signal.aborted) await systemClock.wait(REFUSED_WAIT_MS, this.#closing.signal);
    }
  }

  async #connect(): Promise<NatsConnection> {
    const { url, credentialsFile } = this.#options.config;
    const credentials = credentialsFile === undefined ? undefined : await readFile(credentialsFile);
    return connect({
      servers: url,
      name: 'fleetloop-agent',
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      ignoreAuthErrorAbort: true,
      ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(credentials) }),
    });
  }

  async #serve(connection: NatsConnection): Promise<void> {
    if (this.#closing.signal.aborted) return connection.close();
    for (const [subject, binding] of this.#bindings) this.#subscribe(connection, subject, binding);
    await connection.flush();
    this.#connection = connection;
    this.#connections += 1;
    this.#options.logger.info(
      { url: this.#options.config.url, subjects: this.#bindings.length },
      'live.nats.connected',
    );
    await connection.closed();
  }

  #subscribe(connection: NatsConnection, subject: NatsSubject, binding: LiveBinding): void {
    const decode = makeNatsDecoder(subject);
    connection.subscribe(subject.subject, {
      callback: (error, message) => {
        if (error === null) this.#take(message.data, decode, binding);
        else this.#options.logger.warn({ subject: subject.subject, reason: error.message }, 'live.nats.refused');
      },
    });
  }

  #take(payload: Uint8Array, decode: ReturnType<typeof makeNatsDecoder>, binding: LiveBinding): void {
    const { intake } = this.#options;
    const { windowMessages, windowBytes, messageBytesMax } = intake.limits;
    const { counters } = binding.topic;
    if (this.#waitingMessages >= windowMessages || this.#waitingBytes + payload.length > windowBytes) {
      counters.dropped += 1;
      return;
    }
    const entry = payload.length > messageBytesMax ? undefined : decode(payload);
    if (entry === undefined) {
      counters.refused += 1;
      return;
    }
    const when = { owner: this.#owner, arrivalNs: intake.monotonicNs(), isOwned: false };
    if (intake.accept(binding, entry, when) !== 'taken') return;
    this.#waitingMessages += 1;
    this.#waitingBytes += entry.sizeBytes;
  }
}
