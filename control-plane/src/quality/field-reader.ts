/** Why: numbers out of the messages of foreign channels, as far as their encoding is one that we can read; the rest is bytes. */
import type { OpaqueChannel } from '@fleetloop/schemas';
import { makeMessageDecoder } from '@fleetloop/schemas/recording';

/** Most fields of one topic that are followed, and how deep they are sought. */
export const FIELDS_MAX = 64;
const DEPTH_MAX = 6;
/** Elements of a list that are fields of their own: an axis triple, a quaternion, a covariance is too long. */
const LIST_MAX = 4;
/** Longest message whose fields are read; larger ones are images, clouds, or not ours to parse. */
const MESSAGE_BYTES_MAX = 64 * 1024;

/** Gives each number of a message. */
export type FieldVisitor = (name: string, value: number) => void;
/** Undefined when the bytes do not decode. */
export type FieldReader = (data: Uint8Array, visit: FieldVisitor) => boolean;

/** The reader for a channel that brings along what reading it takes (JSON, ROS 2, protobuf), or undefined. */
export function makeFieldReader({ topic, schemaName, encoding }: OpaqueChannel): FieldReader | undefined {
  if (encoding === undefined) return undefined;
  const { messageEncoding, schemaEncoding, schemaData, metadata = {} } = encoding;
  const decode = makeMessageDecoder({
    id: 0,
    schemaId: 0,
    topic,
    messageEncoding,
    schema: { id: 0, name: schemaName, encoding: schemaEncoding, data: schemaData },
    metadata: new Map(Object.entries(metadata)),
  });
  if (decode === undefined) return undefined;
  return (data, visit) => {
    if (data.length > MESSAGE_BYTES_MAX) return true;
    let value: unknown;
    try {
      value = decode(data);
    } catch {
      return false;
    }
    walk(value, '', 0, visit);
    return true;
  };
}

/** Follows objects and short lists down to numbers. */
export function walk(value: unknown, name: string, depth: number, visit: FieldVisitor): void {
  if (typeof value === 'number') visit(name, value);
  else if (typeof value === 'bigint') visit(name, Number(value));
  else if (value === null) visit(name, Number.NaN);
  else if (typeof value === 'object' && depth < DEPTH_MAX) {
    if (Array.isArray(value) || ArrayBuffer.isView(value)) {
      const list = value as ArrayLike<unknown>;
      if (list.length > LIST_MAX) return;
      for (let index = 0; index < list.length; index += 1) walk(list[index], `${name}.${index}`, depth + 1, visit);
      return;
    }
    for (const [key, entry] of Object.entries(value as object))
      walk(entry, name === '' ? key : `${name}.${key}`, depth + 1, visit);
  }
}
