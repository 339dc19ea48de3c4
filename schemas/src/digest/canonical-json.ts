/** Canonical JSON (RFC 8785, JCS): equal documents have equal bytes, so that a digest can be their identity. */
import { FleetError } from '../errors/fleet-error.ts';

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/** Deepest nesting accepted. */
export const JSON_DEPTH_MAX = 64;

/**
 * Serialises after RFC 8785: keys in UTF-16 code unit order (§3.2.3), ECMAScript numbers (§3.2.2.3), no white space.
 * Keys whose value is `undefined` are left out.
 * @throws FleetError REQUEST_INVALID for NaN, infinities, lone surrogates, bigint, functions and nesting over JSON_DEPTH_MAX
 */
export function canonicalJson(value: JsonValue): string {
  return serialise(value, 0);
}

function serialise(value: JsonValue, depth: number): string {
  if (depth > JSON_DEPTH_MAX) throw refuse(`nesting over ${JSON_DEPTH_MAX} levels`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return serialiseNumber(value);
  if (typeof value === 'string') return serialiseString(value);
  if (Array.isArray(value)) return `[${value.map((item: JsonValue) => serialise(item, depth + 1)).join(',')}]`;
  if (typeof value === 'object') return serialiseObject(value as { readonly [key: string]: JsonValue }, depth);
  throw refuse(`a ${typeof value}`);
}

function serialiseNumber(value: number): string {
  if (!Number.isFinite(value)) throw refuse(`the number ${value}`);
  return JSON.stringify(value);
}

function serialiseString(value: string): string {
  if (!value.isWellFormed()) throw refuse('a lone surrogate');
  return JSON.stringify(value);
}

function serialiseObject(value: { readonly [key: string]: JsonValue }, depth: number): string {
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  // Default sort compares UTF-16 code units, which is what RFC 8785 §3.2.3 asks for.
  const members = keys.sort().map((key) => `${serialiseString(key)}:${serialise(value[key] as JsonValue, depth + 1)}`);
  return `{${members.join(',')}}`;
}

function refuse(what: string): FleetError {
  return new FleetError('REQUEST_INVALID', `canonical JSON cannot hold ${what}`);
}
