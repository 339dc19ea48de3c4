/**
 * The client of the agent's local socket. It connects by itself, again after each loss, and declares its channels anew. What is
 * published waits in a bounded queue until the agent gives credit for it.
 *
 * @example
 * const publisher = connectPublisher({ socketPath: '/run/fleetloop/agent.sock', name: 'wheel-speeds' });
 * const speed = publisher.declareSignals({ topic: '/vss/Vehicle', signals: [{ path: 'Vehicle.Speed', unit: 'm/s' }], rateHz: 50 });
 * await publisher.ready();
 * speed.publish([13.2], { stampNs: BigInt(Date.now()) * 1_000_000n });
 */
import { ERROR_TABLE, type ErrorCode, FleetError } from '@fleetloop/schemas';
import type { SourceClockDeclaration } from '@fleetloop/schemas/time';
import type { ToPublisher } from '@fleetloop/schemas/wire';
import { type Credit, Outbox } from './outbox.ts';
import { type DeclareKind, PublisherChannel } from './publisher-channel.ts';
import { PublisherSocket } from './publisher-socket.ts';

export type { PublisherChannel } from './publisher-channel.ts';

const PROTOCOL_VERSION = 1;
const QUEUE_MESSAGES_MAX = 1_024;
const QUEUE_BYTES_MAX = 8 * 1_024 * 1_024;
const CLOSE_TIMEOUT_MS = 2_000;

export type PublisherOptions = {
  readonly socketPath: string;
  /** Up to 64 letters, digits, ".", "_" and "-". */
  readonly name: string;
  /** When the queue is full: the oldest message makes room (default), or `publish` returns false. */
  readonly whenFull?: 'drop-oldest' | 'wait';
  readonly queueMessagesMax?: number;
  readonly queueBytesMax?: number;
  /** Closes the publisher when it is aborted. */
  readonly signal?: AbortSignal;
};

type CommonDeclaration = {
  readonly topic: string;
  /** Nominal rate in Hz; a silence of more than 3 periods is a gap. */
  readonly rateHz?: number;
  /** Changes seldom: each recording carries the last value. */
  readonly isLatched?: boolean;
  /** Clock of the stamps; without it the wall clock of this machine. */
  readonly clock?: Partial<SourceClockDeclaration> & Pick<SourceClockDeclaration, 'kind'>;
};
export type SignalsDeclaration = CommonDeclaration & {
  /** VSS or overlay paths; `unit` is the one of the values published, by default the catalogue's. */
  readonly signals: readonly { readonly path: string; readonly unit?: string; readonly field?: string }[];
};
export type OpaqueDeclaration = CommonDeclaration & {
  readonly schemaName: string;
  /** `json`, `cdr`, `protobuf`, `jpeg`…; without it `schemaName` is one of the agent's own message types. */
  readonly messageEncoding?: string;
  readonly schemaEncoding?: string;
  readonly schemaData?: Uint8Array;
};

export type PublisherStatistics = {
  readonly isConnected: boolean;
  /** Messages that wait here. */
  readonly queued: number;
  readonly sent: number;
  /** Messages that found no room here, or whose channel is refused. */
  readonly dropped: number;
  /** Messages that the agent did not take. */
  readonly refused: number;
  /** Connections that were lost. */
  readonly losses: number;
};

/** Connects in the background; see `ready`. */
export function connectPublisher(options: PublisherOptions): Publisher {
  return new Publisher(options);
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #outbox: Outbox;
  readonly #socket: PublisherSocket;
  readonly #channels: PublisherChannel[] = [];
  readonly #flushes = new Map<bigint, () => void>();
  #waiters: (() => void)[] = [];
  #credit: Credit = { messages: 0, bytes: 0 };
  #isWelcome = false;
  #isClosed = false;
  #isPumping = false;
  #fault: FleetError | undefined;
  /** Size of the message that found no room last. */
  #wantedBytes = 0;
  #pings = 0n;
  #sent = 0;
  #dropped = 0;
  #refused = 0;
  #losses = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#outbox = new Outbox({
      messagesMax: options.queueMessagesMax ?? QUEUE_MESSAGES_MAX,
      bytesMax: options.queueBytesMax ?? QUEUE_BYTES_MAX,
    });
    this.#socket = new PublisherSocket(options.socketPath, {
      onOpen: () => this.#hello(),
      onAnswer: (answer) => this.#answer(answer),
      onDrain: () => this.#pump(),
      onLost: (reason) => this.#lost(reason),
    });
    options.signal?.addEventListener('abort', () => void this.close(), { once: true });
  }

  declareSignals({ signals, ...common }: SignalsDeclaration): PublisherChannel {
    const declared = signals.map(({ path, unit = '', field = '' }) => ({ path, unit, field }));
    return this.#declare(common, { case: 'signals', value: { signals: declared } }, signals.length);
  }

  declareChannel({
    schemaName,
    messageEncoding,
    schemaEncoding,
    schemaData,
    ...common
  }: OpaqueDeclaration): PublisherChannel {
    const value = {
      schemaName,
      messageEncoding: messageEncoding ?? '',
      schemaEncoding: schemaEncoding ?? '',
      schemaData: schemaData ?? new Uint8Array(0),
    };
    return this.#declare(common, { case: 'opaque', value }, undefined);
  }

  /**
   * Resolves when the agent has accepted all channels declared so far.
   * @throws FleetError what the agent refused; PUBLISH_UNAVAILABLE when closed before, or at the end of `signal`
   */
  async ready(signal?: AbortSignal): Promise<void> {
    await this.#until(() => {
      const refusal = this.#fault ?? this.#channels.find((channel) => channel.refusal !== undefined)?.refusal;
      if (refusal !== undefined) throw refusal;
      return this.#isWelcome && this.#channels.every((channel) => channel.isAccepted);
    }, signal);
  }

  /** Resolves when there is room in the queue for the message that was not taken. @throws FleetError PUBLISH_UNAVAILABLE */
  async drained(signal?: AbortSignal): Promise<void> {
    await this.#until(() => this.#outbox.hasRoomFor(this.#wantedBytes), signal);
  }

  /** Resolves when the agent has dealt with all that was published before. @throws FleetError PUBLISH_UNAVAILABLE */
  async flush(signal?: AbortSignal): Promise<void> {
    await this.#until(() => this.#isWelcome && this.#outbox.length === 0, signal);
    this.#pings += 1n;
    const id = this.#pings;
    let isAnswered = false;
    this.#flushes.set(id, () => {
      isAnswered = true;
    });
    this.#socket.send({ case: 'ping', value: { id } });
    await this.#until(() => isAnswered, signal);
  }

  /** Ends the agent's session and begins another; the agent's configuration must allow it. Goes out behind what was published. */
  async mark(name: string, attributes: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#until(() => this.#isWelcome && this.#outbox.length === 0);
    this.#socket.send({ case: 'mark', value: { name, attributes } });
  }

  get statistics(): PublisherStatistics {
    return {
      isConnected: this.#isWelcome,
      queued: this.#outbox.length,
      sent: this.#sent,
      dropped: this.#dropped,
      refused: this.#refused,
      losses: this.#losses,
    };
  }

  /** Sends what waits while the agent takes it, for two seconds at most. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#isWelcome) await this.flush(AbortSignal.timeout(CLOSE_TIMEOUT_MS)).catch(() => {});
    this.#isClosed = true;
    this.#notify();
    await this.#socket.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #declare(common: CommonDeclaration, form: DeclareKind['form'], values: number | undefined): PublisherChannel {
    const number = this.#channels.length;
    const { topic, rateHz = 0, isLatched = false, clock } = common;
    const declare = {
      channel: number,
      topic,
      rateHz,
      isLatched,
      clock: clock === undefined ? '' : JSON.stringify(clock),
      form,
    };
    const channel = new PublisherChannel(declare, values, (entry, sizeBytes) => this.#publish(entry, sizeBytes));
    this.#channels.push(channel);
    if (this.#isWelcome) this.#socket.send({ case: 'declare', value: declare });
    return channel;
  }

  #publish(entry: Parameters<Outbox['push']>[0], sizeBytes: number): boolean {
    if (this.#isClosed) throw new FleetError('PUBLISH_UNAVAILABLE', `publisher ${this.#options.name} is closed`);
    while (!this.#outbox.hasRoomFor(sizeBytes)) {
      if (this.#options.whenFull === 'wait') {
        this.#wantedBytes = sizeBytes;
        return false;
      }
      this.#outbox.dropOldest();
      this.#dropped += 1;
    }
    this.#outbox.push(entry);
    if (!this.#isPumping) {
      // What is published in one turn goes out in one frame.
      this.#isPumping = true;
      setImmediate(() => {
        this.#isPumping = false;
        this.#pump();
      });
    }
    return true;
  }

  #pump(): void {
    if (!this.#isWelcome) return;
    while (this.#socket.isWritable) {
      const next = this.#outbox.takeFrame(this.#credit);
      if (next === undefined) break;
      this.#sent += next.messages;
      this.#socket.write(next.frame);
    }
    this.#notify();
  }

  #hello(): void {
    this.#socket.send({ case: 'hello', value: { protocolVersion: PROTOCOL_VERSION, publisher: this.#options.name } });
  }

  #answer(answer: ToPublisher['kind']): void {
    switch (answer.case) {
      case 'welcome':
        this.#isWelcome = true;
        this.#fault = undefined;
        this.#socket.settled();
        this.#credit = { messages: answer.value.credit?.messages ?? 0, bytes: answer.value.credit?.bytes ?? 0 };
        for (const channel of this.#channels) this.#socket.send({ case: 'declare', value: channel.declare });
        break;
      case 'accepted':
        this.#channels[answer.value.channel]?.accepted();
        break;
      case 'credit':
        this.#credit.messages += answer.value.messages;
        this.#credit.bytes += answer.value.bytes;
        break;
      case 'refused':
        this.#refusal(answer.value);
        break;
      case 'pong':
        this.#flushes.get(answer.value.id)?.();
        this.#flushes.delete(answer.value.id);
        this.#refused = Number(answer.value.dropped);
        break;
      case undefined:
        break;
    }
    this.#pump();
  }

  #refusal({ code, message, channel }: { code: string; message: string; channel?: number | undefined }): void {
    const error = new FleetError(isCode(code) ? code : 'PUBLISH_UNAVAILABLE', message);
    const refused = channel === undefined ? undefined : this.#channels[channel];
    if (refused === undefined) this.#fault = error;
    else if (!refused.isAccepted) refused.refused(error);
  }

  #lost(reason: string): void {
    if (this.#isWelcome) this.#losses += 1;
    this.#isWelcome = false;
    this.#flushes.clear();
    for (const channel of this.#channels) channel.lost();
    this.#fault ??= this.#isClosed ? new FleetError('PUBLISH_UNAVAILABLE', reason) : undefined;
    this.#notify();
  }

  #notify(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  async #until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    while (!condition()) {
      if (this.#isClosed || signal?.aborted === true) {
        throw new FleetError(
          'PUBLISH_UNAVAILABLE',
          `the agent at ${this.#options.socketPath} did not answer in time: is it running with live.socket?`,
        );
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.push(resolve);
      signal?.addEventListener('abort', () => resolve(), { once: true });
      await promise;
    }
  }
}

const isCode = (text: string): text is ErrorCode => Object.hasOwn(ERROR_TABLE, text);
