/** The vehicle's connection to NATS: one outbound socket, its own key, its own inbox, and reconnection for ever. */
import { FleetError, subjects, type VehicleId } from '@fleetloop/schemas';
import {
  connect,
  errors,
  headers,
  jwtAuthenticator,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from '@nats-io/transport-node';
import type { AgentLogger, LinkReply, VehicleLink } from '../ports.ts';
import { systemClock } from './system-clock.ts';

const PUBLISH_TIMEOUT_MS = 5_000;
const RECONNECT_WAIT_MS = 500;
const RECONNECT_JITTER_MS = 500;
const REFUSED_WAIT_MS = 2_000;
const PING_INTERVAL_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2_000;
/** JetStream API error codes (server errors.json) of a stream that is full: maximum messages or bytes, resources. */
const BUSY_ERROR_CODES: ReadonlySet<number> = new Set([10_023, 10_047, 10_077, 10_122, 10_167]);

export type NatsLinkOptions = {
  readonly vehicleId: VehicleId;
  readonly url: string;
  readonly jwt: string;
  /** Text of the vehicle's nkey seed, `SU...`. */
  readonly seed: string;
  readonly logger: AgentLogger;
};

type Subscription = { readonly subject: string; readonly listener: (payload: Uint8Array) => void };

export class NatsLink implements VehicleLink {
  readonly #options: NatsLinkOptions;
  readonly #subscriptions: Subscription[] = [];
  readonly #connectedListeners: (() => void)[] = [];
  readonly #closing = new AbortController();
  #connection: NatsConnection | undefined;
  #isConnected = false;
  readonly #kept: Promise<void>;

  /** Starts to connect at once; the link is usable when the first connection stands. */
  constructor(options: NatsLinkOptions) {
    this.#options = options;
    this.#kept = this.#keepConnected();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  async publish(subject: string, payload: Uint8Array, values: Readonly<Record<string, string>> = {}): Promise<void> {
    const reply = await this.#ask(subject, payload, PUBLISH_TIMEOUT_MS, toHeaders(values));
    checkStored(subject, reply.data);
  }

  async request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<LinkReply> {
    const reply = await this.#ask(subject, payload, timeoutMs, undefined);
    const values = reply.headers?.keys().map((key): [string, string] => [key, reply.headers?.get(key) ?? '']) ?? [];
    const code = reply.headers?.code ?? 0;
    return {
      payload: reply.data,
      headers: Object.fromEntries(code === 0 ? values : [...values, ['Status', String(code)]]),
    };
  }

  subscribe(subject: string, listener: (payload: Uint8Array) => void): void {
    const subscription = { subject, listener };
    this.#subscriptions.push(subscription);
    if (this.#connection !== undefined) this.#subscribe(this.#connection, subscription);
  }

  onConnected(listener: () => void): void {
    this.#connectedListeners.push(listener);
    if (this.#isConnected) listener();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const connection = this.#connection;
    if (connection !== undefined && !connection.isClosed()) {
      const timer = new AbortController();
      const flushed = this.#isConnected ? connection.flush().catch(() => {}) : Promise.resolve();
      await Promise.race([flushed, systemClock.wait(CLOSE_TIMEOUT_MS, timer.signal)]);
      timer.abort();
      await connection.close();
    }
    await this.#kept;
  }

  async #keepConnected(): Promise<void> {
    const { logger, url } = this.#options;
    while (!this.#closing.signal.aborted) {
      try {
        const connection = await this.#connect();
        await this.#serve(connection);
      } catch (error) {
        logger.warn({ url, reason: reasonOf(error) }, 'link.connect.failed');
      }
      this.#isConnected = false;
      this.#connection = undefined;
      if (!this.#closing.signal.aborted) await systemClock.wait(REFUSED_WAIT_MS, this.#closing.signal);
    }
  }

  async #connect(): Promise<NatsConnection> {
    const { vehicleId, url, jwt, seed } = this.#options;
    // One attempt a time here: with waitOnFirstConnect a stop could not interrupt it.
    return connect({
      servers: url,
      name: vehicleId,
      authenticator: jwtAuthenticator(jwt, new TextEncoder().encode(seed)),
      inboxPrefix: subjects.inboxPrefix(vehicleId),
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      reconnectJitter: RECONNECT_JITTER_MS,
      pingInterval: PING_INTERVAL_MS,
      ignoreAuthErrorAbort: true,
    });
  }

  /** Follows one connection until it is closed for good. */
  async #serve(connection: NatsConnection): Promise<void> {
    if (this.#closing.signal.aborted) return connection.close();
    this.#connection = connection;
    for (const subscription of this.#subscriptions) this.#subscribe(connection, subscription);
    this.#announce();
    for await (const status of connection.status()) {
      switch (status.type) {
        case 'disconnect':
          this.#isConnected = false;
          this.#options.logger.warn({ server: status.server }, 'link.disconnected');
          break;
        case 'reconnect':
          this.#announce();
          break;
        case 'error':
          this.#options.logger.warn({ reason: status.error.message }, 'link.error');
          break;
        case 'close':
          return;
        default:
      }
    }
  }

  #announce(): void {
    this.#isConnected = true;
    this.#options.logger.info({ url: this.#options.url }, 'link.connected');
    for (const listener of this.#connectedListeners) listener();
  }

  #subscribe(connection: NatsConnection, { subject, listener }: Subscription): void {
    connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) listener(message.data);
        else this.#options.logger.warn({ subject, reason: error.message }, 'link.subscription.failed');
      },
    });
  }

  async #ask(subject: string, payload: Uint8Array, timeoutMs: number, values: MsgHdrs | undefined): Promise<Msg> {
    const connection = this.#connection;
    if (connection === undefined || !this.#isConnected) {
      throw new FleetError('UPLINK_UNAVAILABLE', `the link to ${this.#options.url} is down: it reconnects by itself`);
    }
    try {
      return await connection.request(subject, payload, {
        timeout: timeoutMs,
        ...(values === undefined ? {} : { headers: values }),
      });
    } catch (error) {
      throw toFleetError(subject, error);
    }
  }
}

/** What a stream answers to a publish: where the message is stored, or why not. */
function checkStored(subject: string, data: Uint8Array): void {
  const answer = parseAnswer(data);
  if (answer.error !== undefined) {
    const code =
      BUSY_ERROR_CODES.has(answer.error.err_code ?? 0) || answer.error.code === 503
        ? 'UPLINK_BUSY'
        : 'UPLINK_UNAVAILABLE';
    throw new FleetError(
      code,
      `the stream behind ${subject} did not store a message: ${answer.error.description ?? 'no reason given'}`,
    );
  }
  if (answer.stream === undefined)
    throw new FleetError(
      'UPLINK_UNAVAILABLE',
      `no stream stored the message on ${subject}: the control plane may not be set up`,
    );
}

type StreamAnswer = {
  readonly stream?: string;
  readonly error?: { readonly code?: number; readonly err_code?: number; readonly description?: string };
};

function parseAnswer(data: Uint8Array): StreamAnswer {
  try {
    const answer: unknown = JSON.parse(new TextDecoder().decode(data));
    return typeof answer === 'object' && answer !== null ? answer : {};
  } catch {
    return {};
  }
}

function toFleetError(subject: string, error: unknown): FleetError {
  if (error instanceof errors.PermissionViolationError) {
    return new FleetError(
      'UPLINK_FORBIDDEN',
      `the server does not let this vehicle use ${subject}: enrol the vehicle again`,
      { cause: error },
    );
  }
  return new FleetError('UPLINK_UNAVAILABLE', `no answer on ${subject}: ${reasonOf(error)}`, { cause: error });
}

function toHeaders(values: Readonly<Record<string, string>>): MsgHdrs | undefined {
  const entries = Object.entries(values);
  if (entries.length === 0) return undefined;
  const result = headers();
  for (const [key, value] of entries) result.set(key, value);
  return result;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
