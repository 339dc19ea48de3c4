/**
 * The vehicle's connection to NATS: one outbound socket, its own key, its own inbox, and reconnection for ever.
 *
 * Each connection is a client of its own, and dies with its socket. A client that reconnects by itself keeps what was handed to
 * it while it dialled and sends it later, and leaves requests of the lost socket waiting for their time-outs; here a cut rejects
 * at once what had no answer, and nothing of it can be sent a second time.
 */
import { FleetError, subjects, type VehicleId } from '@fleetloop/schemas';
import {
  connect,
  headers,
  jwtAuthenticator,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from '@nats-io/transport-node';
import type { AgentLogger, LinkReply, VehicleLink } from '../ports.ts';
import { refusalOf } from '../uplink/enrolment.ts';
import { checkStored, isTimeout, reasonOf, toFleetError } from './nats-answers.ts';
import { systemClock } from './system-clock.ts';
import { WatchedFile } from './watched-file.ts';

const PUBLISH_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** Between two attempts to connect: from the first to the last, and after a refusal that only a new JWT can change. */
const RECONNECT_WAIT_MS = 100;
const RECONNECT_WAIT_MS_MAX = 5_000;
const REFUSED_WAIT_MS = 30_000;
const REFUSED_WAIT_MS_MAX = 600_000;
/** How often a refused vehicle looks whether there is a new JWT. */
const JWT_LOOK_INTERVAL_MS = 1_000;
/** The link is asked for an answer this often, and the answer may take this long beyond what is in front of it. */
const PING_INTERVAL_MS = 5_000;
const PING_TIMEOUT_MS = 10_000;
/** The client's own pings would take a slow chunk in front of them for a dead link. */
const CLIENT_PING_INTERVAL_MS = 24 * 3_600_000;
const CLOSE_TIMEOUT_MS = 1_000;

export type NatsLinkOptions = {
  readonly vehicleId: VehicleId;
  readonly url: string;
  readonly jwt: string;
  /** File with the JWT; what is written there later replaces `jwt`. */
  readonly jwtFile?: string | undefined;
  /** Text of the vehicle's nkey seed, `SU...`. */
  readonly seed: string;
  readonly logger: AgentLogger;
};

type Listener = (payload: Uint8Array, respond: (reply: Uint8Array) => void) => void;
type Subscription = { readonly subject: string; readonly listener: Listener };
type Ask = {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly timeoutMs: number;
  readonly headers?: MsgHdrs;
};

export class NatsLink implements VehicleLink {
  readonly #options: NatsLinkOptions;
  readonly #subscriptions: Subscription[] = [];
  readonly #connectedListeners: (() => void)[] = [];
  readonly #closing = new AbortController();
  readonly #jwtFile: WatchedFile | undefined;
  readonly #kept: Promise<void>;
  #jwt: string;
  #connection: NatsConnection | undefined;
  #refusal: FleetError | undefined;
  /** Until when the latest answer that is awaited may take; answers come in order. */
  #lastAnswerDueMs = 0;

  /** Starts to connect at once; the link is usable when the first connection stands. */
  constructor(options: NatsLinkOptions) {
    this.#options = options;
    this.#jwt = options.jwt;
    this.#jwtFile = options.jwtFile === undefined ? undefined : new WatchedFile(options.jwtFile);
    this.#kept = this.#keepConnected();
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** Why the server does not let the vehicle in; undefined when that is not the reason. */
  get refusal(): FleetError | undefined {
    return this.#refusal;
  }

  async publish(
    subject: string,
    payload: Uint8Array,
    values: Readonly<Record<string, string>> = {},
    timeoutMs?: number,
  ): Promise<void> {
    const connection = this.#connection;
    const ask = { subject, payload, timeoutMs: timeoutMs ?? PUBLISH_TIMEOUT_MS, ...toHeaders(values) };
    try {
      checkStored(subject, (await this.#ask(ask)).data);
    } catch (error) {
      // Its bytes may still lie in a buffer on the way: they must not arrive after the next attempt.
      if (timeoutMs !== undefined && isTimeout(error)) await connection?.close();
      throw error;
    }
  }

  async request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<LinkReply> {
    const reply = await this.#ask({ subject, payload, timeoutMs });
    const values = reply.headers?.keys().map((key): [string, string] => [key, reply.headers?.get(key) ?? '']) ?? [];
    const code = reply.headers?.code ?? 0;
    return {
      payload: reply.data,
      headers: Object.fromEntries(code === 0 ? values : [...values, ['Status', String(code)]]),
    };
  }

  /** Answers requests on a subject with a text for a text. */
  serve(subject: string, answer: (question: string) => Promise<string>): void {
    this.subscribe(subject, (payload, respond) => {
      void answer(new TextDecoder().decode(payload)).then((reply) => respond(new TextEncoder().encode(reply)));
    });
  }

  subscribe(subject: string, listener: Listener): void {
    const subscription = { subject, listener };
    this.#subscriptions.push(subscription);
    if (this.#connection !== undefined) this.#subscribe(this.#connection, subscription);
  }

  onConnected(listener: () => void): void {
    this.#connectedListeners.push(listener);
    if (this.isConnected) listener();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const connection = this.#connection;
    if (connection !== undefined && !connection.isClosed()) {
      await within(connection.flush(), CLOSE_TIMEOUT_MS);
      await connection.close();
    }
    // An attempt to connect that is under way ends by itself, and closes what it gets.
    await within(this.#kept, CLOSE_TIMEOUT_MS);
  }

  async #keepConnected(): Promise<void> {
    for (let failures = 0; !this.#closing.signal.aborted; failures += 1) {
      await this.#readJwt();
      try {
        const connection = await this.#connect();
        failures = 0;
        await this.#serve(connection);
      } catch (error) {
        this.#onRefused(error);
        this.#options.logger.warn({ url: this.#options.url, reason: reasonOf(error) }, 'link.connect.failed');
      }
      await this.#waitToReconnect(failures);
    }
  }

  /** Soon after a cut; rarely after a refusal, and at once when there is a new JWT. */
  async #waitToReconnect(failures: number): Promise<void> {
    const isRefused = this.#refusal !== undefined;
    const [baseMs, capMs] = isRefused
      ? [REFUSED_WAIT_MS, REFUSED_WAIT_MS_MAX]
      : [RECONNECT_WAIT_MS, RECONNECT_WAIT_MS_MAX];
    const stepMs = Math.min(capMs, baseMs * 2 ** Math.min(failures, 10));
    const untilMs = systemClock.monotonicMs() + stepMs * (1 + systemClock.random());
    for (;;) {
      const leftMs = untilMs - systemClock.monotonicMs();
      if (leftMs <= 0 || this.#closing.signal.aborted) return;
      await systemClock.wait(Math.min(leftMs, JWT_LOOK_INTERVAL_MS), this.#closing.signal);
      if (isRefused && (await this.#readJwt())) return;
    }
  }

  /** Takes the JWT of the file when it is another one. */
  async #readJwt(): Promise<boolean> {
    const text = (await this.#jwtFile?.changed())?.trim();
    if (text === undefined || text === '' || text === this.#jwt) return false;
    this.#jwt = text;
    this.#options.logger.info({}, 'link.jwt.changed');
    return true;
  }

  #onRefused(error: unknown): void {
    const refusal = refusalOf(reasonOf(error), this.#jwt, systemClock.nowMs(), error);
    if (refusal === undefined) return;
    if (this.#refusal?.code !== refusal.code) {
      this.#options.logger.error({ code: refusal.code, message: refusal.message }, 'link.refused');
    }
    this.#refusal = refusal;
  }

  async #connect(): Promise<NatsConnection> {
    const { vehicleId, url, seed } = this.#options;
    return connect({
      servers: url,
      name: vehicleId,
      authenticator: jwtAuthenticator(this.#jwt, new TextEncoder().encode(seed)),
      inboxPrefix: subjects.inboxPrefix(vehicleId),
      reconnect: false,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: CLIENT_PING_INTERVAL_MS,
    });
  }

  /** Follows one connection until it is closed. */
  async #serve(connection: NatsConnection): Promise<void> {
    if (this.#closing.signal.aborted) return connection.close();
    if (connection.isClosed()) return;
    this.#connection = connection;
    this.#refusal = undefined;
    this.#lastAnswerDueMs = 0;
    for (const subscription of this.#subscriptions) this.#subscribe(connection, subscription);
    this.#options.logger.info({ url: this.#options.url }, 'link.connected');
    for (const listener of this.#connectedListeners) listener();
    const ended = new AbortController();
    const watched = this.#watch(connection, ended.signal);
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') this.#connection = undefined;
      if (status.type === 'error') {
        this.#onRefused(status.error);
        this.#options.logger.warn({ reason: status.error.message }, 'link.error');
      }
      if (status.type === 'close') break;
    }
    this.#connection = undefined;
    ended.abort();
    await watched;
    this.#options.logger.warn({ url: this.#options.url }, 'link.disconnected');
  }

  /** A link that is dead without a word is found by asking it; what is in front of the question may take its own time first. */
  async #watch(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const inFrontMs = Math.max(0, this.#lastAnswerDueMs - systemClock.monotonicMs());
      const answered = await within(connection.flush(), inFrontMs + PING_TIMEOUT_MS, signal);
      if (!answered && !signal.aborted) await connection.close();
      await systemClock.wait(PING_INTERVAL_MS, signal);
    }
  }

  #subscribe(connection: NatsConnection, { subject, listener }: Subscription): void {
    connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) listener(message.data, (reply) => message.respond(reply));
        else this.#options.logger.warn({ subject, reason: error.message }, 'link.subscription.failed');
      },
    });
  }

  async #ask({ subject, payload, timeoutMs, headers: values }: Ask): Promise<Msg> {
    const connection = this.#connection;
    if (connection === undefined) {
      const message = `the link to ${this.#options.url} is down: it reconnects by itself`;
      throw this.#refusal ?? new FleetError('UPLINK_UNAVAILABLE', message);
    }
    const nowMs = systemClock.monotonicMs();
    const dueMs = Math.max(nowMs, this.#lastAnswerDueMs) + timeoutMs;
    // Only what may take long moves the others: a row of small questions must not add up.
    this.#lastAnswerDueMs = Math.max(this.#lastAnswerDueMs, nowMs + timeoutMs);
    try {
      return await connection.request(subject, payload, {
        timeout: dueMs - nowMs,
        ...(values === undefined ? {} : { headers: values }),
      });
    } catch (error) {
      throw toFleetError(subject, error);
    }
  }
}

/** Whether the promise was kept in time. */
async function within(promise: Promise<unknown>, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
  const timer = new AbortController();
  const stop = signal === undefined ? timer.signal : AbortSignal.any([timer.signal, signal]);
  const kept = promise.then(
    () => true,
    () => false,
  );
  const isKept = await Promise.race([kept, systemClock.wait(timeoutMs, stop).then(() => false)]);
  timer.abort();
  return isKept;
}

function toHeaders(values: Readonly<Record<string, string>>): { readonly headers?: MsgHdrs } {
  const entries = Object.entries(values);
  if (entries.length === 0) return {};
  const result = headers();
  for (const [key, value] of entries) result.set(key, value);
  return { headers: result };
}
