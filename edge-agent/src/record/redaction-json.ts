/** Rounds or hashes fields of a JSON payload. */
import { createHmac } from 'node:crypto';
import { FleetError } from '@fleetloop/schemas';

/** Hex digits of a hashed identifier: enough that two of a fleet do not meet by chance. */
const HASH_DIGITS = 32;

export type FieldChange = (value: unknown) => unknown;

/**
 * The payload with the fields changed; a field that is absent is left alone. Arrays on the way are walked through.
 * @throws FleetError RECORD_REDACTION for a payload that is not JSON
 */
export function changeFields(payload: Uint8Array, fields: readonly string[], change: FieldChange): Uint8Array {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (cause) {
    throw new FleetError('RECORD_REDACTION', 'a payload that a rule covers is not JSON: it is not recorded', { cause });
  }
  const changed = fields.reduce((value, field) => changeAt(value, field.split('.'), change), document);
  return new TextEncoder().encode(JSON.stringify(changed));
}

function changeAt(value: unknown, [name, ...rest]: readonly string[], change: FieldChange): unknown {
  if (name === undefined) return change(value);
  if (Array.isArray(value)) return value.map((each) => changeAt(each, [name, ...rest], change));
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return value;
  return { ...value, [name]: changeAt((value as Record<string, unknown>)[name], rest, change) };
}

/** The nearest multiple of `step`, without the noise of binary fractions. */
export function roundTo(value: number, step: number): number {
  const rounded = Math.round(value / step) * step;
  return Number.isFinite(rounded) ? Number(rounded.toPrecision(12)) : value;
}

/** @throws FleetError RECORD_REDACTION for what is no number, e.g. a coordinate as text, which would leave as it is */
export function roundField(value: unknown, step: number): unknown {
  if (typeof value === 'number') return roundTo(value, step);
  if (value === null) return null;
  if (Array.isArray(value)) return value.map((each) => roundField(each, step));
  throw new FleetError('RECORD_REDACTION', `a field that is to be rounded holds a ${typeof value}: it is not recorded`);
}

/** A keyed hash (HMAC-SHA256), so that equal identifiers stay equal and nobody without the key can try them out. */
export function hashIdentifier(key: Uint8Array, value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return createHmac('sha256', key).update(text).digest('hex').slice(0, HASH_DIGITS);
}
