/**
 * The agent's side of one publisher's connection: bytes and moments in, answers and orders out. No socket in here, so that every
 * order of bytes can be tried.
 */
import { toBinary } from '@bufbuild/protobuf';
import { type ErrorCode, FleetError } from '@fleetloop/schemas';
import { type DeclareChannel, PublishBatchSchema } from '@fleetloop/schemas/wire';
import { FrameSplitter } from '../publish/publish-frames.ts';
import { batchStart, decodeBatch, type PublishEntry } from '../publish/publish-codec.ts';
import { checkHello, decodeToAgent, encodeToPublisher, type ToPublisherKind, welcomeOf } from './live-answers.ts';
import type { LiveBinding } from './live-channels.ts';
import { toDeclaration } from './live-declaration.ts';
import type { LiveIntake, Verdict } from './live-intake.ts';
import { frameBytesMax } from './live-limits.ts';
import { RateBucket } from './live-rate.ts';

/** At most one refusal a second and channel is told; what was dropped meanwhile is in its count. */
const REFUSAL_INTERVAL_NS = 1_000_000_000n;
/** A publisher that goes on without credit for this many windows is cut. */
const WINDOWS_OVERDRAWN_MAX = 4;
/** Refused declarations, marks and channels after which a publisher is cut. */
const FAULTS_MAX = 1_000;

export type ConnectionEffect =
  | { readonly kind: 'send'; readonly frame: Uint8Array }
  /** Nothing more may be read for a while. */
  | { readonly kind: 'pause'; readonly durationMs: number }
  /** The connection is over. A refusal was sent before. */
  | { readonly kind: 'cut'; readonly error: FleetError };

type Channel = { readonly binding: LiveBinding; toldNs: bigint | undefined; dropped: number };
type Reason = Verdict | 'no-credit';

const REASONS: Readonly<Record<Exclude<Reason, 'taken'>, readonly [ErrorCode, string]>> = {
  'over-rate': ['PUBLISH_LIMIT', 'the topic is over its rate: publish less often, or raise live.limits.topics'],
  'too-large': ['PUBLISH_LIMIT', 'a message is over live.limits.messageBytesMax'],
  'no-credit': ['PUBLISH_LIMIT', 'more was sent than there was credit for: wait for Credit'],
  'wrong-payload': ['PUBLISH_MALFORMED', 'a message does not have the values or bytes that its channel declares'],
};

export class LiveConnection {
  readonly #intake: LiveIntake;
  readonly #splitter: FrameSplitter;
  readonly #rate: RateBucket;
  readonly #channels = new Map<number, Channel>();
  #publisher: string | undefined;
  #isOver = false;
  #creditMessages: number;
  #creditBytes: number;
  /** What came back and was not told yet. */
  #returnMessages = 0;
  #returnBytes = 0;
  #queued = 0;
  #overdrawn = 0;
  #faults = 0;
  #taken = 0;
  #dropped = 0;
  #effects: ConnectionEffect[] = [];
  readonly #onReleased: (effects: readonly ConnectionEffect[]) => void;
  readonly #owner = { released: (messages: number, bytes: number): void => this.#release(messages, bytes) };

  /** @param onReleased effects that come of messages being taken @throws FleetError PUBLISH_LIMIT when there are too many publishers */
  constructor(intake: LiveIntake, onReleased: (effects: readonly ConnectionEffect[]) => void) {
    intake.enter();
    this.#intake = intake;
    this.#onReleased = onReleased;
    this.#splitter = new FrameSplitter(frameBytesMax(intake.limits));
    this.#rate = new RateBucket(intake.limits.connection);
    this.#creditMessages = intake.limits.windowMessages;
    this.#creditBytes = intake.limits.windowBytes;
  }

  /** Undefined until it has said hello. */
  get publisher(): string | undefined {
    return this.#publisher;
  }

  /** Whether it owes bytes: the hello, or the rest of a frame. */
  get isOwing(): boolean {
    return !this.#isOver && (this.#publisher === undefined || this.#splitter.isInside);
  }

  get counters(): { readonly taken: number; readonly dropped: number } {
    return { taken: this.#taken, dropped: this.#dropped };
  }

  /** Bytes came. @param arrivalNs monotonic */
  receive(chunk: Uint8Array, arrivalNs: bigint): readonly ConnectionEffect[] {
    if (this.#isOver) return [];
    const before = this.#taken + this.#dropped;
    try {
      this.#splitter.push(chunk, (frame, isOwned) => this.#frame(frame, arrivalNs, isOwned));
    } catch (error) {
      this.#cut(FleetError.from(error, 'PUBLISH_MALFORMED'));
    }
    const waitMs = this.#rate.overdraw(this.#taken + this.#dropped - before, chunk.length, arrivalNs);
    if (waitMs > 0 && !this.#isOver) this.#effects.push({ kind: 'pause', durationMs: waitMs });
    return this.#flush();
  }

  /** The socket is gone. Messages that were taken stay in the queue. */
  close(): void {
    if (!this.#isOver) this.#end();
  }

  #frame(frame: Uint8Array, arrivalNs: bigint, isOwned: boolean): void {
    if (this.#isOver) return;
    const start = this.#publisher === undefined ? 0 : batchStart(frame);
    if (start > 0) return this.#batch(frame, start, { arrivalNs, isOwned });
    const { kind } = decodeToAgent(frame);
    if (kind.case === 'hello') return this.#hello(kind.value.protocolVersion, kind.value.publisher);
    if (this.#publisher === undefined) {
      throw new FleetError('PUBLISH_MALFORMED', 'the first frame of a publisher must be its hello');
    }
    switch (kind.case) {
      case 'declare':
        return this.#declare(kind.value);
      case 'publish':
        // A batch in an unusual layout; brought into the usual one.
        return this.#batch(toBinary(PublishBatchSchema, kind.value), 0, { arrivalNs, isOwned: true });
      case 'ping':
        return this.#send({ case: 'pong', value: this.#pong(kind.value.id) });
      case 'mark': {
        const { name, attributes } = kind.value;
        return this.#forgive(undefined, () => this.#intake.mark(this.#publisher ?? '', name, attributes));
      }
      case undefined:
        // A kind of a later version: it is passed over.
        return undefined;
    }
  }

  #hello(version: number, publisher: string): void {
    if (this.#publisher !== undefined) throw new FleetError('PUBLISH_MALFORMED', 'a publisher says hello once');
    checkHello(version, publisher);
    this.#publisher = publisher;
    this.#send(welcomeOf(this.#intake.limits));
  }

  #declare(declare: DeclareChannel): void {
    this.#forgive(declare.channel, () => {
      const declaration = toDeclaration(declare);
      const { channelsPerPublisherMax } = this.#intake.limits;
      if (this.#channels.has(declare.channel)) {
        throw new FleetError('PUBLISH_CHANNEL', `channel ${declare.channel} is declared already: use another number`);
      }
      if (this.#channels.size >= channelsPerPublisherMax) {
        throw new FleetError('PUBLISH_LIMIT', `a publisher may declare ${channelsPerPublisherMax} channels`);
      }
      const binding = this.#intake.bind(declaration);
      this.#channels.set(declare.channel, { binding, toldNs: undefined, dropped: 0 });
      this.#send({ case: 'accepted', value: { channel: declare.channel } });
    });
  }

  #batch(bytes: Uint8Array, start: number, when: { arrivalNs: bigint; isOwned: boolean }): void {
    decodeBatch(bytes, start, (entry) => {
      if (!this.#isOver) this.#entry(entry, when);
    });
  }

  #entry(entry: PublishEntry, when: { arrivalNs: bigint; isOwned: boolean }): void {
    const channel = this.#channels.get(entry.channel);
    if (channel === undefined) {
      this.#dropped += 1;
      this.#fault(entry.channel, 'PUBLISH_CHANNEL', `channel ${entry.channel} was not declared, or was refused`);
      return;
    }
    if (this.#creditMessages < 1 || this.#creditBytes < entry.sizeBytes) {
      channel.binding.topic.counters.dropped += 1;
      this.#overdraw();
      this.#drop(entry.channel, channel, { reason: 'no-credit', nowNs: when.arrivalNs });
      return;
    }
    this.#creditMessages -= 1;
    this.#creditBytes -= entry.sizeBytes;
    const verdict = this.#intake.accept(channel.binding, entry, { owner: this.#owner, ...when });
    if (verdict === 'taken') {
      this.#taken += 1;
      this.#queued += 1;
      return;
    }
    this.#return(1, entry.sizeBytes);
    this.#drop(entry.channel, channel, { reason: verdict, nowNs: when.arrivalNs });
  }

  #drop(
    number: number,
    channel: Channel,
    { reason, nowNs }: { reason: Exclude<Reason, 'taken'>; nowNs: bigint },
  ): void {
    this.#dropped += 1;
    channel.dropped += 1;
    if (channel.toldNs !== undefined && nowNs - channel.toldNs < REFUSAL_INTERVAL_NS) return;
    channel.toldNs = nowNs;
    const [code, text] = REASONS[reason];
    const message = `${channel.binding.topic.channel.topic}: ${text}`;
    this.#send({ case: 'refused', value: { code, message, channel: number, dropped: channel.dropped } });
    channel.dropped = 0;
  }

  #overdraw(): void {
    this.#overdrawn += 1;
    if (this.#overdrawn <= this.#intake.limits.windowMessages * WINDOWS_OVERDRAWN_MAX) return;
    this.#cut(
      new FleetError('PUBLISH_LIMIT', `${this.#publisher} goes on publishing without credit: it must wait for Credit`),
    );
  }

  /** Refuses one thing and goes on. */
  #forgive(channel: number | undefined, work: () => void): void {
    try {
      work();
    } catch (error) {
      const { code, message } = FleetError.from(error);
      this.#fault(channel, code, message);
    }
  }

  #fault(channel: number | undefined, code: ErrorCode, message: string): void {
    this.#faults += 1;
    if (this.#faults > FAULTS_MAX) {
      this.#cut(new FleetError('PUBLISH_MALFORMED', `${this.#publisher} was refused ${FAULTS_MAX} times: ${message}`));
      return;
    }
    this.#send({
      case: 'refused',
      value: { code, message, ...(channel === undefined ? {} : { channel }), dropped: 0 },
    });
  }

  #release(messages: number, bytes: number): void {
    this.#queued -= messages;
    if (this.#isOver) {
      if (this.#queued === 0) this.#intake.leave();
      return;
    }
    this.#return(messages, bytes);
    const effects = this.#flush();
    if (effects.length > 0) this.#onReleased(effects);
  }

  /** Credit goes back in quarters of the window, so that it costs few frames. */
  #return(messages: number, bytes: number): void {
    this.#returnMessages += messages;
    this.#returnBytes += bytes;
    const { windowMessages, windowBytes } = this.#intake.limits;
    if (this.#returnMessages < windowMessages / 4 && this.#returnBytes < windowBytes / 4) return;
    this.#creditMessages += this.#returnMessages;
    this.#creditBytes += this.#returnBytes;
    this.#send({ case: 'credit', value: { messages: this.#returnMessages, bytes: this.#returnBytes } });
    this.#returnMessages = 0;
    this.#returnBytes = 0;
  }

  #pong(id: bigint): { id: bigint; taken: bigint; dropped: bigint } {
    return { id, taken: BigInt(this.#taken), dropped: BigInt(this.#dropped) };
  }

  #cut(error: FleetError): void {
    if (this.#isOver) return;
    this.#send({ case: 'refused', value: { code: error.code, message: error.message, dropped: 0 } });
    this.#effects.push({ kind: 'cut', error });
    this.#end();
  }

  #end(): void {
    this.#isOver = true;
    for (const { binding } of this.#channels.values()) this.#intake.channels.unbind(binding);
    this.#channels.clear();
    if (this.#queued === 0) this.#intake.leave();
  }

  #send(kind: ToPublisherKind): void {
    this.#effects.push({ kind: 'send', frame: encodeToPublisher(kind) });
  }

  #flush(): readonly ConnectionEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
