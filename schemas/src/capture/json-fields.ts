/** Numbers out of structured messages: a field named by a dotted path, `linear.x`, `values.3` or `values[3]`. */
import { FleetError } from '../errors/fleet-error.ts';

/** Deepest path. */
const PATH_PARTS_MAX = 16;
/** Longest JSON message that is parsed, bytes. */
export const JSON_MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** The parts of a path. @throws FleetError MAPPING_INVALID */
export function parseFieldPath(path: string): readonly string[] {
  const parts = path.replaceAll(/\[(\d+)\]/g, '.$1').split('.');
  if (parts.length <= PATH_PARTS_MAX && parts.every((part) => part !== '')) return parts;
  throw new FleetError(
    'MAPPING_INVALID',
    `"${path}" is not a path of 1 to ${PATH_PARTS_MAX} parts with dots between them`,
  );
}

/** The number at a path: booleans count as 0 and 1, what is absent or null is NaN. Undefined when something else is there. */
export function numberAtPath(value: unknown, path: readonly string[]): number | undefined {
  let current = value;
  for (const part of path) {
    if (current === null || typeof current !== 'object' || !Object.hasOwn(current, part)) return Number.NaN;
    current = (current as Record<string, unknown>)[part];
  }
  if (typeof current === 'number') return current;
  if (typeof current === 'bigint') return Number(current);
  if (typeof current === 'boolean') return current ? 1 : 0;
  return current === null || current === undefined ? Number.NaN : undefined;
}

const TEXT = new TextDecoder('utf-8', { fatal: true });

/** Parses one message. Throws a plain error that says what is wrong with it. */
export function parseJsonMessage(data: Uint8Array): unknown {
  if (data.length > JSON_MESSAGE_BYTES_MAX)
    throw new Error(`a JSON message of ${data.length} bytes is longer than ${JSON_MESSAGE_BYTES_MAX}`);
  return JSON.parse(TEXT.decode(data));
}
