/** Where all live sources meet: entries are checked, counted, put on the session's clock and queued. */
import { FleetError, type OpaqueChannel, type RecordingClock, type SourceMessage } from '@fleetloop/schemas';
import type { PublishEntry } from '../publish/publish-codec.ts';
import { type ClockPair, SessionClock } from './clock-session.ts';
import type { SourceRecord } from './clock-source-converter.ts';
import { LiveChannels, type ChannelDeclaration, type LiveBinding, type TopicCounters } from './live-channels.ts';
import type { LiveConfig } from './live-limits.ts';
import { LiveQueue, type QueueOwner } from './live-queue.ts';

const SOURCES_PER_RECORDING_MAX = 256;
const MARK_ATTRIBUTES_MAX = 64;
const MARK_TEXT_MAX = 256;

/** One live session, from its mark to the next. */
export type LiveSession = {
  /** `live/<boot id>/<ns since boot at its start>`: unique over restarts and whatever the wall clock does. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly clock: SessionClock;
};

/** What became of an entry. */
export type Verdict = 'taken' | 'over-rate' | 'too-large' | 'wrong-payload';

export type LiveIntakeOptions = {
  readonly config: Pick<LiveConfig, 'attributes' | 'markers' | 'clock' | 'limits'>;
  readonly clocks: ClockPair;
  readonly bootId: string;
};

export class LiveIntake {
  readonly queue = new LiveQueue<LiveSession>();
  readonly #options: LiveIntakeOptions;
  readonly #channels: LiveChannels;
  #session: LiveSession;
  #publishers = 0;
  /** Last arrival, and its log time in the session that runs. */
  #arrivalNs = -1n;
  #logTimeNs = 0n;

  constructor(options: LiveIntakeOptions) {
    this.#options = options;
    this.#session = this.#makeSession({});
    this.#channels = new LiveChannels(options.config.limits, () => this.#session.clock);
    this.queue.push({ kind: 'session', session: this.#session });
  }

  get limits(): LiveConfig['limits'] {
    return this.#options.config.limits;
  }

  /** Monotonic now, for rates and arrivals. */
  monotonicNs(): bigint {
    return this.#options.clocks.monotonicNs();
  }

  /** The session that arrivals belong to now. */
  get session(): LiveSession {
    return this.#session;
  }

  get channels(): LiveChannels {
    return this.#channels;
  }

  counters(): readonly TopicCounters[] {
    return [...this.#channels.topics.values()].map(({ counters }) => ({ ...counters }));
  }

  /** A place among the publishers; it is given back by `leave` when nothing of the publisher is left in the queue. @throws FleetError PUBLISH_LIMIT */
  enter(): void {
    const { connectionsMax } = this.limits;
    if (this.#publishers >= connectionsMax) {
      throw new FleetError(
        'PUBLISH_LIMIT',
        `${connectionsMax} publishers are connected already: raise live.limits.connectionsMax`,
      );
    }
    this.#publishers += 1;
  }

  leave(): void {
    this.#publishers -= 1;
  }

  /** @throws FleetError as `LiveChannels.bind` */
  bind(declaration: ChannelDeclaration): LiveBinding {
    return this.#channels.bind(declaration);
  }

  /**
   * Takes one entry, or counts why not. Hot path.
   * @param isOwned the entry's data may be kept as it is; otherwise it is copied
   */
  accept(
    binding: LiveBinding,
    entry: Omit<PublishEntry, 'channel'>,
    { owner, arrivalNs, isOwned }: { owner: QueueOwner; arrivalNs: bigint; isOwned: boolean },
  ): Verdict {
    const { topic } = binding;
    const verdict = this.#judge(binding, entry, arrivalNs);
    if (verdict !== 'taken') {
      if (verdict === 'over-rate') topic.counters.dropped += 1;
      else topic.counters.refused += 1;
      return verdict;
    }
    const logTimeNs = this.#logTimeAt(arrivalNs);
    const publishTimeNs =
      entry.stampNs === undefined
        ? logTimeNs
        : nonNegative(topic.converter.toSessionNs(entry.stampNs, logTimeNs), logTimeNs);
    const sequence = entry.sequence ?? topic.nextSequence;
    topic.nextSequence = sequence + 1;
    topic.counters.taken += 1;
    const message = toMessage(binding, entry, { sequence, logTimeNs, publishTimeNs, isOwned });
    this.queue.push({ kind: 'message', message, owner, sizeBytes: entry.sizeBytes });
    return 'taken';
  }

  /** Entries come in pieces with one arrival each; a bigint of its own for each would be most of what they cost. */
  #logTimeAt(arrivalNs: bigint): bigint {
    if (arrivalNs !== this.#arrivalNs) {
      this.#arrivalNs = arrivalNs;
      this.#logTimeNs = this.#session.clock.at(arrivalNs);
    }
    return this.#logTimeNs;
  }

  /** Ends the session and begins another. @throws FleetError FORBIDDEN, PUBLISH_MALFORMED */
  mark(publisher: string, name: string, attributes: Readonly<Record<string, string>>): void {
    if (!this.#options.config.markers.includes(publisher)) {
      throw new FleetError('FORBIDDEN', `${publisher} may not mark sessions: name it in live.markers`);
    }
    const texts = [name, ...Object.entries(attributes).flat()];
    if (texts.length > 2 * MARK_ATTRIBUTES_MAX || texts.some((text) => text === '' || text.length > MARK_TEXT_MAX)) {
      throw new FleetError(
        'PUBLISH_MALFORMED',
        `a session mark holds texts of 1 to ${MARK_TEXT_MAX} characters, few of them`,
      );
    }
    const beforeNs = this.#session.clock.nowNs();
    this.#session = this.#makeSession({ ...attributes, mark: name });
    this.#arrivalNs = -1n;
    this.#channels.startSession(this.#session.clock.startNs - beforeNs);
    this.queue.push({ kind: 'session', session: this.#session });
  }

  /** The clock record of a recording of the session. */
  clockBetween(session: LiveSession, startNs: bigint, endNs: bigint): RecordingClock {
    const sources: SourceRecord[] = [];
    for (const { channel, converter } of this.#channels.topics.values()) {
      const record = converter.record(channel.topic);
      if (record !== undefined && sources.length < SOURCES_PER_RECORDING_MAX) sources.push(record);
    }
    return session.clock.between(startNs, endNs, sources);
  }

  #makeSession(attributes: Readonly<Record<string, string>>): LiveSession {
    const { config, clocks, bootId } = this.#options;
    return {
      name: `live/${bootId}/${clocks.monotonicNs()}`,
      attributes: { ...config.attributes, ...attributes },
      clock: new SessionClock(clocks, config.clock),
    };
  }

  #judge({ topic }: LiveBinding, { values, data, sizeBytes }: Omit<PublishEntry, 'channel'>, nowNs: bigint): Verdict {
    if (sizeBytes > this.limits.messageBytesMax) return 'too-large';
    const { channel } = topic;
    // An opaque message may be empty: protobuf leaves empty bytes out.
    const isRight =
      channel.kind === 'signal'
        ? values?.length === channel.signals.length && data === undefined
        : values === undefined;
    if (!isRight) return 'wrong-payload';
    return topic.rate.take(sizeBytes, nowNs) ? 'taken' : 'over-rate';
  }
}

const NO_BYTES = new Uint8Array(0);
/** Stamps of a recording are unsigned 64-bit numbers; a stamp that converts to something else is no stamp. */
const STAMP_NS_END = 1n << 63n;
const nonNegative = (stampNs: bigint, otherwise: bigint): bigint =>
  stampNs >= 0n && stampNs < STAMP_NS_END ? stampNs : otherwise;

type Header = {
  readonly sequence: number;
  readonly logTimeNs: bigint;
  readonly publishTimeNs: bigint;
  readonly isOwned: boolean;
};

function toMessage(
  { topic, conversions }: LiveBinding,
  { values, data }: Omit<PublishEntry, 'channel'>,
  { sequence, logTimeNs, publishTimeNs, isOwned }: Header,
): SourceMessage {
  const { channel } = topic;
  if (channel.kind === 'signal') {
    const converted = values ?? new Float64Array(channel.signals.length);
    conversions?.forEach(({ scale, offset }, index) => {
      converted[index] = (converted[index] as number) * scale + offset;
    });
    return { kind: 'signal', channel, sequence, logTimeNs, publishTimeNs, values: converted };
  }
  const bytes = kept(data ?? NO_BYTES, isOwned);
  return { kind: 'opaque', channel: channel satisfies OpaqueChannel, sequence, logTimeNs, publishTimeNs, data: bytes };
}

/** A small piece of a large frame is copied, so that a queue never holds more than twice what it counts. */
function kept(data: Uint8Array, isOwned: boolean): Uint8Array {
  return isOwned && data.length * 2 >= data.buffer.byteLength ? data : data.slice();
}
