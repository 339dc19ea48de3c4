/** The channels of the live sources: one form per topic, whoever publishes on it, with its limits and counters. */
import {
  type Channel,
  fieldNames,
  findSignal,
  FleetError,
  isSignalTopic,
  type SignalDefinition,
  unitConversion,
} from '@fleetloop/schemas';
import { isOpaqueSchema } from '@fleetloop/schemas/recording';
import type { SourceClockDeclaration } from '@fleetloop/schemas/time';
import { makeSourceClockConverter, type SessionUtc, type SourceClockConverter } from './clock-source-converter.ts';
import type { LiveLimits } from './live-limits.ts';
import { RateBucket } from './live-rate.ts';

const SIGNALS_MAX = 2_000;
const TOPIC = /^(?:\/[A-Za-z0-9_.-]{1,128}){1,8}$/;
/** The agent's own topics. */
const RESERVED = /^\/(?:agent|model)(?:\/|$)/;
const FIELD = /^[a-z][a-z0-9_]{0,127}$/;
const RATE_HZ_MAX = 1_000_000;
/** Of a publisher that declares none: the wall clock of this machine. */
const WALL_CLOCK: SourceClockDeclaration = { kind: 'utc', uncertaintyNs: 0 };

/** What a publisher says of a channel. */
export type ChannelDeclaration = {
  readonly topic: string;
  readonly form:
    | {
        readonly kind: 'signal';
        readonly signals: readonly { readonly path: string; readonly field?: string; readonly unit?: string }[];
      }
    | {
        readonly kind: 'opaque';
        readonly schemaName: string;
        readonly messageEncoding: string;
        readonly schemaEncoding: string;
        readonly schemaData: Uint8Array;
      };
  readonly rateHz?: number | undefined;
  readonly isLatched?: boolean | undefined;
  readonly clock?: SourceClockDeclaration | undefined;
};

export type TopicCounters = { readonly topic: string; taken: number; dropped: number; refused: number };

/** One topic of the session. Mutable: it is on the path of each message. */
export type LiveTopic = {
  readonly channel: Channel;
  readonly form: string;
  readonly converter: SourceClockConverter;
  readonly rate: RateBucket;
  readonly counters: TopicCounters;
  nextSequence: number;
  bindings: number;
};

/** One publisher's declaration of a topic: the units are its own. */
export type LiveBinding = {
  readonly topic: LiveTopic;
  /** Undefined where all values are in the catalogue's units already. */
  readonly conversions: readonly { readonly scale: number; readonly offset: number }[] | undefined;
};

export class LiveChannels {
  readonly #limits: LiveLimits;
  readonly #sessionUtc: () => SessionUtc;
  readonly #topics = new Map<string, LiveTopic>();

  constructor(limits: LiveLimits, sessionUtc: () => SessionUtc) {
    this.#limits = limits;
    this.#sessionUtc = sessionUtc;
  }

  get topics(): ReadonlyMap<string, LiveTopic> {
    return this.#topics;
  }

  /** @throws FleetError SIGNAL_UNKNOWN, UNIT_UNKNOWN, PUBLISH_CHANNEL, PUBLISH_MALFORMED, PUBLISH_LIMIT */
  bind(declaration: ChannelDeclaration): LiveBinding {
    checkTopic(declaration);
    const channel = toChannel(declaration, this.#limits);
    const form = formOf(channel, declaration.clock);
    let topic = this.#topics.get(channel.topic);
    if (topic !== undefined && topic.form !== form) {
      throw new FleetError(
        'PUBLISH_CHANNEL',
        `${channel.topic} is declared in another form in this session: use the same signals, schema, rate and clock, or another topic`,
      );
    }
    topic ??= this.#open(channel, form, declaration.clock);
    const conversions = conversionsOf(declaration);
    topic.bindings += 1;
    return { topic, conversions };
  }

  unbind({ topic }: LiveBinding): void {
    topic.bindings -= 1;
  }

  /** Topics that nobody holds any more go; the others count from 0 again. */
  startSession(movedByNs: bigint): void {
    for (const [name, topic] of this.#topics) {
      if (topic.bindings === 0) this.#topics.delete(name);
      topic.nextSequence = 0;
      topic.converter.rebase(movedByNs);
    }
  }

  #open(channel: Channel, form: string, clock: SourceClockDeclaration | undefined): LiveTopic {
    if (this.#topics.size >= this.#limits.topicsMax) {
      throw new FleetError(
        'PUBLISH_LIMIT',
        `${channel.topic} would be topic ${this.#topics.size + 1}, ${this.#limits.topicsMax} are allowed: raise live.limits.topicsMax`,
      );
    }
    const topic: LiveTopic = {
      channel,
      form,
      converter: makeSourceClockConverter(clock ?? WALL_CLOCK, this.#sessionUtc),
      rate: new RateBucket(this.#limits.topics[channel.topic] ?? this.#limits.topic),
      counters: { topic: channel.topic, taken: 0, dropped: 0, refused: 0 },
      nextSequence: 0,
      bindings: 0,
    };
    this.#topics.set(channel.topic, topic);
    return topic;
  }
}

function checkTopic({ topic, form, rateHz }: ChannelDeclaration): void {
  const isValid = form.kind === 'signal' ? isSignalTopic(topic) && topic.length <= 256 : TOPIC.test(topic);
  if (!isValid) {
    throw new FleetError(
      'PUBLISH_MALFORMED',
      `${JSON.stringify(topic.slice(0, 256))} is not a topic: use /vss/<branch> or /sensor/<position>/<kind>`,
    );
  }
  if (RESERVED.test(topic)) throw new FleetError('PUBLISH_CHANNEL', `${topic} is one of the agent's own topics`);
  if (rateHz !== undefined && !(rateHz > 0 && rateHz <= RATE_HZ_MAX)) {
    throw new FleetError('PUBLISH_MALFORMED', `${topic} declares a rate of ${rateHz} Hz: above 0 and up to 1 MHz`);
  }
}

function toChannel({ topic, form, rateHz, isLatched }: ChannelDeclaration, limits: LiveLimits): Channel {
  const rest = { ...(rateHz === undefined ? {} : { rateHz }), ...(isLatched === true ? { isLatched } : {}) };
  if (form.kind === 'signal') return { kind: 'signal', topic, signals: toSignals(topic, form.signals), ...rest };
  const { schemaName, messageEncoding, schemaEncoding, schemaData } = form;
  if (schemaName === '' || schemaName.length > 256 || messageEncoding.length > 64 || schemaEncoding.length > 64) {
    throw new FleetError(
      'PUBLISH_MALFORMED',
      `${topic} needs a schema name up to 256 and encodings up to 64 characters`,
    );
  }
  if (schemaData.length > limits.schemaBytesMax) {
    throw new FleetError('PUBLISH_LIMIT', `the schema of ${topic} is over ${limits.schemaBytesMax} bytes`);
  }
  if (messageEncoding === '' && !isOpaqueSchema(schemaName)) {
    throw new FleetError(
      'PUBLISH_MALFORMED',
      `${topic}: ${schemaName.slice(0, 256)} is none of the agent's own types, so its encoding must be declared`,
    );
  }
  const encoding = { messageEncoding, schemaEncoding, schemaData };
  // Without an encoding it is one of our own protobuf messages, which the recording knows the schema of.
  return { kind: 'opaque', topic, schemaName, ...(messageEncoding === '' ? {} : { encoding }), ...rest };
}

type DeclaredSignals = Extract<ChannelDeclaration['form'], { kind: 'signal' }>['signals'];

function toSignals(topic: string, declared: DeclaredSignals): readonly SignalDefinition[] {
  if (declared.length === 0 || declared.length > SIGNALS_MAX) {
    throw new FleetError('PUBLISH_MALFORMED', `${topic} declares ${declared.length} signals: 1 to ${SIGNALS_MAX}`);
  }
  const units = declared.map(({ path }) => unitOf(path, topic));
  const fields = namesOf(topic, declared);
  if (new Set(fields).size < fields.length || fields.some((field) => !FIELD.test(field))) {
    throw new FleetError('PUBLISH_MALFORMED', `${topic} needs field names in snake_case, each once`);
  }
  return declared.map(({ path }, index) => ({ path, field: fields[index] ?? '', unit: units[index] ?? '' }));
}

function namesOf(topic: string, declared: DeclaredSignals): readonly string[] {
  try {
    const names = fieldNames(
      topic,
      declared.map(({ path }) => path),
    );
    return declared.map(({ field }, index) => field ?? names[index] ?? '');
  } catch (cause) {
    throw new FleetError('PUBLISH_MALFORMED', FleetError.from(cause).message, { cause });
  }
}

function unitOf(path: string, topic: string): string {
  const known = findSignal(path);
  if (known !== undefined) return known.unit;
  throw new FleetError(
    'SIGNAL_UNKNOWN',
    `${topic}: ${JSON.stringify(path.slice(0, 256))} is neither in the VSS catalogue nor in the overlay: check its case`,
  );
}

function conversionsOf({ form, topic }: ChannelDeclaration): LiveBinding['conversions'] {
  if (form.kind !== 'signal') return undefined;
  const conversions = form.signals.map(({ path, unit }) => {
    const catalogue = unitOf(path, topic);
    return unitConversion(unit ?? catalogue, catalogue);
  });
  return conversions.every(({ scale, offset }) => scale === 1 && offset === 0) ? undefined : conversions;
}

function formOf(channel: Channel, clock: SourceClockDeclaration | undefined): string {
  return JSON.stringify([channel, clock ?? null], (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
  );
}
