/** The schemas and channels of one file, encoded once, and which of them a chunk has to carry. */
import { FleetError } from '../errors/fleet-error.ts';
import { OPCODE } from './mcap-bytes.ts';
import { RecordEncoder } from './mcap-record-encoder.ts';

export type McapSchema = { readonly name: string; readonly encoding: string; readonly data: Uint8Array };
export type McapChannel = {
  /** Id of a registered schema, or 0 for none. */
  readonly schemaId: number;
  readonly topic: string;
  readonly messageEncoding: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** The id that its messages carry already; the next free one without it. */
  readonly id?: number;
};

const ID_MAX = 65_535;

type Definition = { readonly record: Uint8Array; isWritten: boolean };
type ChannelDefinition = Definition & { readonly topic: string; readonly schemaId: number };

export class McapDefinitions {
  readonly #schemas = new Map<number, Definition>();
  readonly #channels = new Map<number, ChannelDefinition>();
  #nextChannelId = 1;

  get schemaCount(): number {
    return this.#schemas.size;
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  addSchema(schema: McapSchema): number {
    const id = this.#schemas.size + 1;
    if (id > ID_MAX) throw refusal(`more than ${ID_MAX} schemas were registered`);
    const encoder = new RecordEncoder().begin(OPCODE.schema).uint16(id).text(schema.name).text(schema.encoding);
    encoder.uint32(schema.data.length).raw(schema.data).end();
    this.#schemas.set(id, { record: encoder.bytes, isWritten: false });
    return id;
  }

  addChannel(channel: McapChannel): number {
    while (this.#channels.has(this.#nextChannelId)) this.#nextChannelId += 1;
    const id = channel.id ?? this.#nextChannelId;
    const { schemaId, topic } = channel;
    if (!Number.isInteger(id) || id < 0 || id > ID_MAX) throw refusal(`no channel id ${id} can be given to ${topic}`);
    if (this.#channels.has(id)) throw refusal(`the channel id ${id} of ${topic} is taken`);
    if (schemaId !== 0 && !this.#schemas.has(schemaId))
      throw refusal(`channel ${topic} names schema ${schemaId}, which is not registered`);
    const encoder = new RecordEncoder().begin(OPCODE.channel).uint16(id).uint16(schemaId).text(topic);
    encoder.text(channel.messageEncoding).textMap(channel.metadata).end();
    this.#channels.set(id, { record: encoder.bytes, isWritten: false, topic, schemaId });
    return id;
  }

  has(channelId: number): boolean {
    return this.#channels.has(channelId);
  }

  topicOf(channelId: number): string {
    return this.#need(channelId).topic;
  }

  /**
   * Hands the records of a channel to `add`, in front of its first message in a chunk. All of them stand in each chunk that uses
   * them, so that a chunk can be read without the ones before it, as long as they take less than `repeatBytes`.
   * @throws FleetError RECORD_WRITE when the channel is not registered
   */
  carry(channelId: number, repeatBytes: number, add: (record: Uint8Array) => void): void {
    const channel = this.#need(channelId);
    const schema = this.#schemas.get(channel.schemaId);
    const size = channel.record.length + (schema?.record.length ?? 0);
    for (const definition of schema === undefined ? [channel] : [schema, channel]) {
      if (definition.isWritten && size > repeatBytes) continue;
      definition.isWritten = true;
      add(definition.record);
    }
  }

  /**
   * Takes the records that are nowhere in the file yet, one behind the other: for chunks that carry none, and at the end those of
   * channels that never had a message.
   */
  takeUnwritten(): Uint8Array {
    const encoder = new RecordEncoder();
    for (const definition of [...this.#schemas.values(), ...this.#channels.values()]) {
      if (definition.isWritten) continue;
      definition.isWritten = true;
      encoder.raw(definition.record);
    }
    return encoder.bytes;
  }

  schemaRecords(): Uint8Array[] {
    return [...this.#schemas.values()].map((definition) => definition.record);
  }

  channelRecords(): Uint8Array[] {
    return [...this.#channels.values()].map((definition) => definition.record);
  }

  #need(channelId: number): ChannelDefinition {
    const channel = this.#channels.get(channelId);
    if (channel === undefined) throw refusal(`a message names channel ${channelId}, which is not registered`);
    return channel;
  }
}

function refusal(why: string): FleetError {
  return new FleetError('RECORD_WRITE', `the recording cannot be written: ${why}`);
}
