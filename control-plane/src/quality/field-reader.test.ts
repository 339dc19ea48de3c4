import type { OpaqueChannel } from '@fleetloop/schemas';
import { describe, expect, it } from 'vitest';
import { makeFieldReader } from './field-reader.ts';

const CHANNEL: OpaqueChannel = {
  kind: 'opaque',
  topic: '/state',
  schemaName: 'state',
  encoding: { messageEncoding: 'json', schemaEncoding: '', schemaData: new Uint8Array(0) },
};
const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function readerOf(): (value: unknown) => Readonly<Record<string, number>> {
  const read = makeFieldReader(CHANNEL);
  if (read === undefined) throw new Error('JSON must be readable');
  return (value) => {
    const found: Record<string, number> = {};
    expect(read(bytesOf(value), (name, number) => (found[name] = number))).toBe(true);
    return found;
  };
}

describe('the fields of JSON messages', () => {
  it('have the same names in each message, whatever came before', () => {
    const read = readerOf();
    const message = { a: { b: 1, c: [2, [3]] }, d: null, e: [1, 2, 3, 4, 5], f: 'x', 'a.b': 9 };
    const expected = { 'a.b': 9, 'a.c.0': 2, 'a.c.1.0': 3, d: Number.NaN };
    expect(read(message)).toEqual(expected);
    expect(read({ a: [7], other: { b: 8 } })).toEqual({ 'a.0': 7, 'other.b': 8 });
    expect(read(message)).toEqual(expected);
  });

  it('have their names also when there are more than are remembered', () => {
    const read = readerOf();
    for (let round = 0; round < 40; round += 1) {
      const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${round}-${index}`, { x: index }]));
      const found = read(many);
      expect(Object.keys(found)).toHaveLength(100);
      expect(found[`k${round}-99.x`]).toBe(99);
    }
  });
});
