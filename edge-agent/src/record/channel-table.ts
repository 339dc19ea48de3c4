/** Numbers the channels of one session in the order in which they appear: the ids that the records of the ring carry. */
import { type Channel, FleetError } from '@fleetloop/schemas';
import { type McapChannel, type McapSchema, recordingChannel, recordingSchema } from '@fleetloop/schemas/recording';

/** Ids are 16 bits in MCAP. */
export const CHANNELS_PER_SESSION_MAX = 65_000;

/** A channel as every recording of it names it. */
export type ChannelDefinition = {
  readonly schema: McapSchema | undefined;
  readonly channel: Omit<McapChannel, 'schemaId'>;
};

export class ChannelTable {
  readonly #channels: Channel[] = [];
  readonly #ids = new Map<Channel, number>();
  /** Encoded once: that costs as much as a thousand messages. */
  readonly #definitions: ChannelDefinition[] = [];
  readonly #idsByTopic = new Map<string, number[]>();

  /** Channels so far; ids are 0 to size - 1. */
  get size(): number {
    return this.#channels.length;
  }

  /** The id of a channel; one that is declared again in the same form keeps it. @throws FleetError SOURCE_LIMIT */
  idOf(channel: Channel): number {
    return this.#ids.get(channel) ?? this.#add(channel);
  }

  at(id: number): Channel {
    const channel = this.#channels[id];
    if (channel === undefined) throw new FleetError('SPOOL_CORRUPT', `a message names channel ${id}, which is unknown`);
    return channel;
  }

  /** @throws FleetError SOURCE_FORMAT, SPOOL_CORRUPT */
  definitionOf(id: number): ChannelDefinition {
    const channel = this.at(id);
    const known = this.#definitions[id];
    if (known !== undefined) return known;
    const definition = { schema: recordingSchema(channel), channel: { ...recordingChannel(channel), id } };
    this.#definitions[id] = definition;
    return definition;
  }

  /** Makes up to `count` definitions ahead of the recordings that will need them. @throws FleetError SOURCE_FORMAT */
  defineSome(count: number): void {
    const first = this.#definitions.length;
    for (let id = first; id < Math.min(first + count, this.#channels.length); id += 1) this.definitionOf(id);
  }

  /** Ids of channels of one topic, in the order in which they appeared. */
  idsOf(topic: string): readonly number[] {
    return this.#idsByTopic.get(topic) ?? [];
  }

  all(): readonly Channel[] {
    return this.#channels;
  }

  #add(channel: Channel): number {
    const ofTopic = this.#idsByTopic.get(channel.topic) ?? [];
    const known = ofTopic.find((id) => isSame(this.at(id), channel));
    if (known !== undefined) {
      this.#ids.set(channel, known);
      return known;
    }
    const id = this.#channels.length;
    if (id >= CHANNELS_PER_SESSION_MAX) {
      throw new FleetError(
        'SOURCE_LIMIT',
        `a session has more than ${CHANNELS_PER_SESSION_MAX} channels; ${channel.topic} is not taken`,
      );
    }
    this.#channels.push(channel);
    this.#ids.set(channel, id);
    this.#idsByTopic.set(channel.topic, [...ofTopic, id]);
    return id;
  }
}

function isSame(first: Channel, second: Channel): boolean {
  return channelText(first) === channelText(second);
}

/** A channel as text, bytes in base64; equal for equal channels. */
export function channelText(channel: Channel): string {
  const fields = Object.fromEntries(Object.entries(channel).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify(fields, (_, value: unknown) =>
    value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value,
  );
}
