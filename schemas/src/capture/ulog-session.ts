/** What a ULog file has told so far: formats, subscriptions, information and parameters, and the channels made of them. */
import { viewOf } from '../record/mcap-bytes.ts';
import type { OpaqueChannel } from './channel.ts';
import {
  isUlogPrimitive,
  makeUlogFormats,
  parseUlogDeclaration,
  type UlogLayout,
  ulogSizeBytes,
} from './ulog-formats.ts';
import { readUlogNumber, ulogJsonSchema, type UlogValue } from './ulog-values.ts';

/** Most subscriptions of a file. */
const SUBSCRIPTIONS_MAX = 4_096;
/** Most pieces of one information that comes in pieces, e.g. the console output of the start. */
const PIECES_MAX = 4_096;
/** Most attributes, and their longest text: they go into each recording. */
const ATTRIBUTES_MAX = 64;
const ATTRIBUTE_LENGTH_MAX = 256;
const TEXT = new TextDecoder();

/** A topic that the file logs. `key` is what a mapping calls it: `sensor_accel`, `sensor_accel/1`. */
export type UlogTopic = {
  readonly key: string;
  readonly layout: UlogLayout;
  readonly channel: OpaqueChannel;
  /** Where the stamp stands in a message. */
  readonly stampOffset: number;
};

/** A change of what the file says of itself, as it goes into the channel `/ulog/definitions`. */
export type UlogDefinitions = { readonly [section: string]: { readonly [name: string]: UlogValue } };

export type UlogSession = {
  /** Takes a definition; the change that it makes, or undefined for a format or subscription. Throws plain errors. */
  readonly define: (type: string, content: Uint8Array) => UlogDefinitions | undefined;
  readonly topicOf: (messageId: number) => UlogTopic | undefined;
  readonly topics: () => readonly UlogTopic[];
  readonly attributes: () => Readonly<Record<string, string>>;
};

/** Makes the register of one file. */
export function makeUlogSession(): UlogSession {
  const formats = makeUlogFormats();
  const byId = new Map<number, UlogTopic>();
  const byKey = new Map<string, UlogTopic>();
  const attributes = new Map<string, string>();
  const pieces = new Map<string, number>();
  const subscribe = (content: Uint8Array): void => {
    const instance = content[0] ?? 0;
    const id = viewOf(content).getUint16(1, true);
    const name = TEXT.decode(content.subarray(3));
    const key = instance === 0 ? name : `${name}/${instance}`;
    const known = byKey.get(key);
    if (known === undefined && byKey.size >= SUBSCRIPTIONS_MAX)
      throw new Error(`the file has more than ${SUBSCRIPTIONS_MAX} topics`);
    const topic = known ?? makeTopic(key, formats.layoutOf(name));
    byKey.set(key, topic);
    byId.set(id, topic);
  };
  return {
    define: (type, content) => {
      if (type === 'F') formats.declare(TEXT.decode(content));
      else if (type === 'A') subscribe(content);
      else if (type === 'R') byId.delete(viewOf(content).getUint16(0, true));
      else if (type === 'P') return section('parameters', readKeyValue(content));
      else if (type === 'Q') return section('parameterDefaults', readKeyValue(content.subarray(1)));
      else if (type === 'I') {
        const entry = readKeyValue(content);
        if (attributes.size < ATTRIBUTES_MAX) attributes.set(`ulog.${entry.name}`, toText(entry.value));
        return section('information', entry);
      } else if (type === 'M') {
        const { name, value } = readKeyValue(content.subarray(1));
        const piece = pieces.get(name) ?? 0;
        if (piece >= PIECES_MAX) throw new Error(`information ${name} has more than ${PIECES_MAX} pieces`);
        pieces.set(name, piece + 1);
        return section('information', { name: `${name}.${piece}`, value });
      }
      return undefined;
    },
    topicOf: (id) => byId.get(id),
    topics: () => [...byKey.values()],
    attributes: () => Object.fromEntries(attributes),
  };
}

type KeyValue = { readonly name: string; readonly value: UlogValue };

function section(name: string, entry: KeyValue): UlogDefinitions {
  return { [name]: { [entry.name]: entry.value } };
}

function toText(value: UlogValue): string {
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, ATTRIBUTE_LENGTH_MAX);
}

/** `char[5] sys_name` and its value. */
function readKeyValue(content: Uint8Array): KeyValue {
  const keyBytes = content[0] ?? 0;
  const { type, count, name } = parseUlogDeclaration(TEXT.decode(content.subarray(1, 1 + keyBytes)));
  const value = content.subarray(1 + keyBytes);
  if (!isUlogPrimitive(type)) throw new Error(`${name} has the type ${type}, which is no simple one`);
  if (type === 'char') return { name, value: TEXT.decode(value.subarray(0, count ?? 1)) };
  const sizeBytes = ulogSizeBytes(type);
  if (value.length < sizeBytes * (count ?? 1)) throw new Error(`the value of ${name} is cut off`);
  const view = viewOf(value);
  if (count === undefined) return { name, value: readUlogNumber(type, view, 0) };
  return { name, value: Array.from({ length: count }, (_, index) => readUlogNumber(type, view, index * sizeBytes)) };
}

function makeTopic(key: string, layout: UlogLayout): UlogTopic {
  const stamp = layout.fields.find(
    (field) => field.name === 'timestamp' && field.type === 'uint64_t' && field.count === undefined,
  );
  if (stamp === undefined) throw new Error(`format ${layout.name} has no uint64_t timestamp`);
  return {
    key,
    layout,
    stampOffset: stamp.offset,
    channel: jsonChannel(`/ulog/${key}`, layout.name, ulogJsonSchema(layout)),
  };
}

/** An opaque channel of JSON messages. */
export function jsonChannel(topic: string, schemaName: string, schema: object): OpaqueChannel {
  return {
    kind: 'opaque',
    topic,
    schemaName,
    encoding: {
      messageEncoding: 'json',
      schemaEncoding: 'jsonschema',
      schemaData: new TextEncoder().encode(JSON.stringify(schema)),
    },
  };
}
