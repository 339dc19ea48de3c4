/** ROS 2 messages by the definition that their channel carries (`ros2msg`): plain objects, bounded by the bytes they come from. */
import { parse } from '@foxglove/rosmsg';
import { CdrCursor, NUMBER_BYTES, type NumberType } from './ros2-cdr.ts';

/** Longest definition with everything it includes, bytes. */
const DEFINITION_BYTES_MAX = 1024 * 1024;
/** Deepest nesting of types. */
const DEPTH_MAX = 64;
/** Values that one message may become. Bytes of images and point clouds are one value. */
const VALUES_MAX = 4_000_000;

type Field = ReturnType<typeof parse>[number]['definitions'][number];
type Types = ReadonlyMap<string, readonly Field[]>;
export type Ros2Value = number | bigint | boolean | string | Uint8Array | readonly Ros2Value[] | Ros2Object;
export interface Ros2Object {
  readonly [field: string]: Ros2Value;
}

/**
 * Makes the decoder of one schema. Both throw plain errors: the first for a definition that does not parse, the decoder
 * for bytes that are no such message.
 */
export function makeRos2Decoder(definition: Uint8Array): (data: Uint8Array) => Ros2Object {
  if (definition.length > DEFINITION_BYTES_MAX)
    throw new Error(`a definition is longer than ${DEFINITION_BYTES_MAX} bytes`);
  const parsed = parse(new TextDecoder('utf-8', { fatal: true }).decode(definition), { ros2: true });
  const types: Types = new Map(parsed.map(({ name, definitions }) => [name ?? '', definitions]));
  // Modules of constants may stand in front of the message itself.
  const root = parsed.find(
    ({ definitions }) => definitions.length === 0 || definitions.some((field) => field.isConstant !== true),
  );
  if (root === undefined) throw new Error('the definition has no message');
  return (data) => readObject(root.definitions, { cursor: new CdrCursor(data), types, values: 0 }, 0);
}

type Reading = { readonly cursor: CdrCursor; readonly types: Types; values: number };

function readObject(fields: readonly Field[], reading: Reading, depth: number): Ros2Object {
  if (depth > DEPTH_MAX) throw new Error(`types are nested more than ${DEPTH_MAX} deep`);
  const object: Record<string, Ros2Value> = {};
  let isEmpty = true;
  for (const field of fields) {
    if (field.isConstant === true) continue;
    isEmpty = false;
    object[field.name] = field.isArray === true ? readArray(field, reading, depth) : readOne(field, reading, depth);
  }
  // IDL knows no empty structure: ROS 2 puts one byte into it.
  if (isEmpty) reading.cursor.number('uint8');
  return object;
}

function readArray(field: Field, reading: Reading, depth: number): Ros2Value {
  const { cursor } = reading;
  const count = field.arrayLength ?? cursor.count();
  if (field.type === 'uint8' || field.type === 'byte') return cursor.bytes(count);
  const size = isNumber(field.type) ? NUMBER_BYTES[field.type] : 1;
  if (count * size > cursor.left && count > 0)
    throw new Error(`${field.name} claims ${count} elements, more than the message holds`);
  const array: Ros2Value[] = [];
  for (let index = 0; index < count; index += 1) array.push(readOne(field, reading, depth));
  return array;
}

function readOne(field: Field, reading: Reading, depth: number): Ros2Value {
  reading.values += 1;
  if (reading.values > VALUES_MAX) throw new Error(`the message has more than ${VALUES_MAX} values`);
  const { cursor, types } = reading;
  const { type } = field;
  if (field.isComplex === true) {
    const nested = types.get(type);
    if (nested === undefined) throw new Error(`the definition does not say what ${type} is`);
    return readObject(nested, reading, depth + 1);
  }
  if (isNumber(type)) return cursor.number(type);
  if (type === 'bool') return cursor.number('uint8') !== 0;
  if (type === 'string') return cursor.text();
  if (type === 'time' || type === 'duration') return { sec: cursor.number('int32'), nanosec: cursor.number('uint32') };
  throw new Error(`fields of the type ${type} cannot be read`);
}

function isNumber(type: string): type is NumberType {
  return Object.hasOwn(NUMBER_BYTES, type);
}
