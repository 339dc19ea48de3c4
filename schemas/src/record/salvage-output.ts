/** The file that a salvage writes: channels keep their ids, and are registered with their first message. */
import { viewOf } from './mcap-bytes.ts';
import { MESSAGE_FIELD_BYTES } from './mcap-fields.ts';
import { MESSAGE_DATA_BYTES_MAX } from './mcap-message-record.ts';
import type { McapSink } from './mcap-output.ts';
import type { McapAttachment } from './mcap-records.ts';
import { McapWriter } from './mcap-writer.ts';
import type { McapMetadataRecord } from './recording-metadata.ts';
import type { Definitions } from './salvage-definitions.ts';

/** Why a message could not be taken, or the topic and time of the one that was. */
export type Taken = { readonly topic: string; readonly logTimeNs: bigint } | { readonly refusal: string };

export class SalvageOutput {
  readonly #writer: McapWriter;
  readonly #definitions: Definitions;
  readonly #topics = new Map<number, string>();
  readonly #schemas = new Map<number, number>();
  /** Channels whose messages are kept although their schema is lost. */
  readonly withoutSchema: { readonly channelId: number; readonly topic: string; readonly schemaId: number }[] = [];
  #hasRoom = true;

  constructor(sink: McapSink, definitions: Definitions, profile: string) {
    this.#writer = new McapWriter(sink, { compression: 'zstd', library: 'fleetloop salvage', profile });
    this.#definitions = definitions;
  }

  /** Whether to drain before the next message. */
  get isFull(): boolean {
    return !this.#hasRoom;
  }

  /** Copies the fields of a message record. */
  take(content: Uint8Array): Taken {
    const view = viewOf(content);
    const channelId = view.getUint16(0, true);
    const topic = this.#topics.get(channelId) ?? this.#register(channelId);
    if (topic === undefined) return { refusal: `channel ${channelId} is declared nowhere in the file` };
    const data = content.subarray(MESSAGE_FIELD_BYTES);
    if (data.length > MESSAGE_DATA_BYTES_MAX)
      return { refusal: `a message of ${data.length} bytes is longer than ${MESSAGE_DATA_BYTES_MAX}` };
    const logTimeNs = view.getBigUint64(6, true);
    this.#hasRoom = this.#writer.addMessage(
      channelId,
      view.getUint32(2, true),
      logTimeNs,
      view.getBigUint64(14, true),
      data,
    );
    return { topic, logTimeNs };
  }

  addMetadata(record: McapMetadataRecord): void {
    this.#writer.addMetadata(record);
  }

  addAttachment(attachment: McapAttachment): void {
    this.#writer.addAttachment(attachment);
  }

  async drain(): Promise<void> {
    await this.#writer.drain();
  }

  async close(): Promise<void> {
    await this.#writer.close();
  }

  #register(channelId: number): string | undefined {
    const channel = this.#definitions.channel(channelId);
    if (channel === undefined) return undefined;
    const schema = this.#definitions.schema(channel.schemaId);
    // The bytes are as they were, and many encodings are read without a schema.
    if (channel.schemaId !== 0 && schema === undefined) this.withoutSchema.push({ ...channel, channelId });
    let schemaId = schema === undefined ? 0 : this.#schemas.get(schema.id);
    if (schemaId === undefined && schema !== undefined) {
      schemaId = this.#writer.registerSchema(schema);
      this.#schemas.set(schema.id, schemaId);
    }
    this.#writer.registerChannel({ ...channel, schemaId: schemaId ?? 0 });
    this.#topics.set(channelId, channel.topic);
    return channel.topic;
  }
}
