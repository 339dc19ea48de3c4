/** Why: numbers out of the messages of foreign channels, as far as their encoding is one that we can read; the rest is bytes. */
import type { OpaqueChannel } from '@fleetloop/schemas';
import { makeMessageDecoder } from '@fleetloop/schemas/recording';
import { isMeasured, TWIST_SPEED, twistSpeedOf } from './twist-speed.ts';

/** Most fields of one topic that are followed, and how deep they are sought. */
export const FIELDS_MAX = 64;
const DEPTH_MAX = 6;
/** Elements of a list that are fields of their own: an axis triple, a quaternion, a covariance is too long. */
const LIST_MAX = 4;
/** Names of fields that are remembered. */
const NAMES_MAX = 1_024;
/** Longest message whose fields are read; larger ones are images, clouds, or not ours to parse. */
const MESSAGE_BYTES_MAX = 64 * 1024;

/** Gives each number of a message. */
export type FieldVisitor = (name: string, value: number) => void;
/** Undefined when the bytes do not decode. */
export type FieldReader = (data: Uint8Array, visit: FieldVisitor) => boolean;

/** Gives the value of a message; undefined where its bytes do not decode or are too many. */
export type ChannelDecoder = (data: Uint8Array) => unknown;

/** The decoder of a channel that brings along what reading it takes (JSON, ROS 2, protobuf), or undefined. */
export function makeChannelDecoder(channel: OpaqueChannel): ChannelDecoder | undefined {
  const decode = makeDecoder(channel);
  if (decode === undefined) return undefined;
  return (data) => {
    if (data.length > MESSAGE_BYTES_MAX) return undefined;
    try {
      return decode(data);
    } catch {
      return undefined;
    }
  };
}

/** The reader for a channel that brings along what reading it takes (JSON, ROS 2, protobuf), or undefined. */
export function makeFieldReader(channel: OpaqueChannel): FieldReader | undefined {
  const decode = makeDecoder(channel);
  if (decode === undefined) return undefined;
  const root = new FieldName('');
  const mayHoldSpeed = isMeasured(channel.topic);
  return (data, visit) => {
    if (data.length > MESSAGE_BYTES_MAX) return true;
    let value: unknown;
    try {
      value = decode(data);
    } catch {
      return false;
    }
    walk(value, root, 0, visit);
    const speed = mayHoldSpeed ? twistSpeedOf(value) : undefined;
    if (speed !== undefined) visit(TWIST_SPEED, speed);
    return true;
  };
}

function makeDecoder({ topic, schemaName, encoding }: OpaqueChannel): ReturnType<typeof makeMessageDecoder> {
  if (encoding === undefined) return undefined;
  const { messageEncoding, schemaEncoding, schemaData, metadata = {} } = encoding;
  return makeMessageDecoder({
    id: 0,
    schemaId: 0,
    topic,
    messageEncoding,
    schema: { id: 0, name: schemaName, encoding: schemaEncoding, data: schemaData },
    metadata: new Map(Object.entries(metadata)),
  });
}

/** What numbers that JSON cannot write are in the JSON of protobuf. */
export function isNumberWord(value: unknown): value is string {
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity';
}

/** The name of a field, and those of the fields inside of it: joined once, not for each message. */
class FieldName {
  readonly name: string;
  readonly #names: { left: number };
  readonly #fields = new Map<string, FieldName>();
  readonly #elements: FieldName[] = [];

  /** `names` is how many more are remembered. */
  constructor(name: string, names = { left: NAMES_MAX }) {
    this.name = name;
    this.#names = names;
  }

  field(key: string): FieldName {
    const known = this.#fields.get(key);
    if (known !== undefined) return known;
    const made = new FieldName(this.name === '' ? key : `${this.name}.${key}`, this.#names);
    if (this.#remembersMore()) this.#fields.set(key, made);
    return made;
  }

  element(index: number): FieldName {
    return (this.#elements[index] ??= new FieldName(`${this.name}.${index}`, this.#names));
  }

  #remembersMore(): boolean {
    this.#names.left -= 1;
    return this.#names.left >= 0;
  }
}

/** Follows objects and short lists down to numbers. Hot path. */
function walk(value: unknown, field: FieldName, depth: number, visit: FieldVisitor): void {
  if (typeof value === 'number') visit(field.name, value);
  else if (typeof value === 'bigint') visit(field.name, Number(value));
  else if (value === null) visit(field.name, Number.NaN);
  else if (isNumberWord(value)) visit(field.name, Number(value));
  else if (typeof value === 'object' && depth < DEPTH_MAX) {
    if (Array.isArray(value) || ArrayBuffer.isView(value)) {
      const list = value as ArrayLike<unknown>;
      if (list.length > LIST_MAX) return;
      for (let index = 0; index < list.length; index += 1) walk(list[index], field.element(index), depth + 1, visit);
      return;
    }
    for (const key of Object.keys(value as object))
      walk((value as Record<string, unknown>)[key], field.field(key), depth + 1, visit);
  }
}
