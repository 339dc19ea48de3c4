/** Values out of ULog messages, as JSON has them, and the JSON Schema that describes them. */
import { viewOf } from '../record/mcap-bytes.ts';
import { type UlogField, type UlogLayout, type UlogPrimitive, ulogSizeBytes } from './ulog-formats.ts';

export type UlogValue =
  | number
  | string
  | boolean
  | null
  | readonly UlogValue[]
  | { readonly [name: string]: UlogValue };
export type UlogObject = { readonly [name: string]: UlogValue };

const TEXT = new TextDecoder();

/**
 * Reads a message. Padding is left out; a logger leaves the padding at the end of a message away. Throws a plain error for a message that is
 * shorter than its fields. Numbers that JSON does not have (NaN, infinite) are null, integers beyond 2^53 are decimal texts.
 */
export function readUlogObject(layout: UlogLayout, bytes: Uint8Array, start = 0): UlogObject {
  const view = viewOf(bytes);
  return Object.fromEntries(
    layout.fields
      .filter((field) => !field.isPadding)
      .map((field) => [field.name, readField(field, bytes, view, start)]),
  );
}

function readField(field: UlogField, bytes: Uint8Array, view: DataView, start: number): UlogValue {
  const { type, count, offset, name } = field;
  const sizeBytes = ulogSizeBytes(type);
  const from = start + offset;
  if (from + sizeBytes * (count ?? 1) > bytes.length) throw new Error(`a message ends before its field ${name}`);
  if (typeof type !== 'string') {
    if (count === undefined) return readUlogObject(type, bytes, from);
    return Array.from({ length: count }, (_, index) => readUlogObject(type, bytes, from + index * sizeBytes));
  }
  if (type === 'char') return readText(bytes.subarray(from, from + (count ?? 1)));
  if (count === undefined) return readUlogNumber(type, view, from);
  return Array.from({ length: count }, (_, index) => readUlogNumber(type, view, from + index * sizeBytes));
}

/** Text up to its first zero byte. */
function readText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return TEXT.decode(end === -1 ? bytes : bytes.subarray(0, end));
}

/** One value of a primitive type. */
export function readUlogNumber(type: UlogPrimitive, view: DataView, offset: number): UlogValue {
  switch (type) {
    case 'int8_t':
      return view.getInt8(offset);
    case 'uint8_t':
    case 'char':
      return view.getUint8(offset);
    case 'bool':
      return view.getUint8(offset) !== 0;
    case 'int16_t':
      return view.getInt16(offset, true);
    case 'uint16_t':
      return view.getUint16(offset, true);
    case 'int32_t':
      return view.getInt32(offset, true);
    case 'uint32_t':
      return view.getUint32(offset, true);
    case 'int64_t':
      return safe(view.getBigInt64(offset, true));
    case 'uint64_t':
      return safe(view.getBigUint64(offset, true));
    case 'float':
      return finite(view.getFloat32(offset, true));
    case 'double':
      return finite(view.getFloat64(offset, true));
    default:
      return null;
  }
}

function safe(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

type JsonSchema = Readonly<Record<string, unknown>>;

/** JSON Schema of the messages of a layout. */
export function ulogJsonSchema(layout: UlogLayout): JsonSchema {
  const fields = layout.fields.filter((field) => !field.isPadding);
  return {
    title: layout.name,
    type: 'object',
    properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field)])),
  };
}

function fieldSchema({ type, count }: UlogField): JsonSchema {
  if (type === 'char') return { type: 'string' };
  const item = typeof type === 'string' ? { type: jsonTypes(type) } : ulogJsonSchema(type);
  return count === undefined ? item : { type: 'array', items: item, minItems: count, maxItems: count };
}

function jsonTypes(type: UlogPrimitive): string | readonly string[] {
  if (type === 'bool') return 'boolean';
  if (type === 'float' || type === 'double') return ['number', 'null'];
  return type === 'int64_t' || type === 'uint64_t' ? ['integer', 'string'] : 'integer';
}
