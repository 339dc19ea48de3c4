/** The channels of an MCAP file as channels of a session: one object for each topic, whatever the ids of the file are. */
import type { McapTypes } from '@mcap/core';
import { FieldReader } from '../record/mcap-bytes.ts';
import type { McapMetadataRecord } from '../record/recording-metadata.ts';
import { type McapSchema, parseChannelRecord } from '../record/recording-reader.ts';
import type { Channel } from './channel.ts';

/** Most channels and schemas of one file. */
export const MCAP_CHANNELS_MAX = 4_096;

/** A channel of the file; several of one topic and form share their `stream`. */
export type McapChannel = { readonly channel: Channel; readonly messageEncoding: string };

/** Knows what a file has declared so far. Declarations are repeated in chunks and summary; repeats change nothing. */
export type McapChannels = {
  readonly declareSchema: (content: Uint8Array) => void;
  readonly declareChannel: (content: Uint8Array) => void;
  readonly find: (id: number) => McapChannel | undefined;
  readonly list: () => readonly Channel[];
  readonly remarks: () => readonly string[];
};

/** Makes the register of one file. Its methods throw plain or FleetErrors for records that are malformed; the caller adds where. */
export function makeMcapChannels(): McapChannels {
  const schemas = new Map<number, McapSchema>();
  const byId = new Map<number, McapChannel>();
  const byTopic = new Map<string, Channel>();
  const remarks: string[] = [];
  return {
    declareSchema: (content) => {
      const fields = new FieldReader(content);
      const id = fields.uint16();
      if (id === 0) throw new Error('a schema has the id 0, which stands for "no schema"');
      if (schemas.has(id)) return;
      if (schemas.size >= MCAP_CHANNELS_MAX) throw new Error(`the file has more than ${MCAP_CHANNELS_MAX} schemas`);
      const schema = {
        name: fields.text(),
        encoding: fields.text(),
        data: new Uint8Array(fields.bytes(fields.uint32())),
      };
      schemas.set(id, schema);
    },
    declareChannel: (content) => {
      const record = readChannel(content);
      if (byId.has(record.id)) return;
      if (byId.size >= MCAP_CHANNELS_MAX) throw new Error(`the file has more than ${MCAP_CHANNELS_MAX} channels`);
      if (record.schemaId !== 0 && !schemas.has(record.schemaId))
        throw new Error(`channel ${record.topic} names schema ${record.schemaId}, which the file does not declare`);
      const channel = shareTopic(byTopic, parseChannelRecord(record, schemas));
      if (channel.topic !== record.topic)
        remarks.push(`topic ${record.topic} is declared in several forms; a further one is ${channel.topic}`);
      byId.set(record.id, { channel, messageEncoding: record.messageEncoding });
    },
    find: (id) => byId.get(id),
    list: () => [...byTopic.values()],
    remarks: () => remarks,
  };
}

function readChannel(content: Uint8Array): McapTypes.Channel {
  const fields = new FieldReader(content);
  return {
    id: fields.uint16(),
    schemaId: fields.uint16(),
    topic: fields.text(),
    messageEncoding: fields.text(),
    metadata: fields.textMap(),
  };
}

/** Two publishers of one topic may have a channel each; when their forms differ, the later one gets a number behind its topic. */
function shareTopic(byTopic: Map<string, Channel>, channel: Channel): Channel {
  for (let number = 1; number <= MCAP_CHANNELS_MAX; number += 1) {
    const topic = number === 1 ? channel.topic : `${channel.topic}~${number}`;
    const known = byTopic.get(topic);
    if (known === undefined) {
      const own = { ...channel, topic };
      byTopic.set(topic, own);
      return own;
    }
    if (isSameForm(known, channel)) return known;
  }
  throw new Error(`topic ${channel.topic} has more than ${MCAP_CHANNELS_MAX} forms`);
}

function isSameForm(a: Channel, b: Channel): boolean {
  return formOf(a) === formOf(b);
}

function formOf({ topic: _topic, ...form }: Channel): string {
  return JSON.stringify(form, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
  );
}

/** A metadata record of the file. */
export function readMcapMetadata(content: Uint8Array): McapMetadataRecord {
  const fields = new FieldReader(content);
  return { name: fields.text(), metadata: fields.textMap() };
}
