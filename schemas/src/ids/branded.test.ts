/** Ids become subject tokens and file names, so what they refuse matters more than what they accept. */
import { describe, expect, it } from 'vitest';
import { ID_LENGTH_MAX, isDigest, parseDigest, parseVehicleId } from './branded.ts';

describe('parseVehicleId', () => {
  it.each(['v', 'vehicle-1', 'a_b-3', 'a'.repeat(ID_LENGTH_MAX)])('accepts %s', (text) => {
    expect(parseVehicleId(text)).toBe(text);
  });

  it.each(['', '-a', 'a-', 'A', 'a.b', 'a*', 'a>', '../a', 'a b', 'a'.repeat(ID_LENGTH_MAX + 1), 7, null])(
    'refuses %j',
    (text) => {
      expect(() => parseVehicleId(text)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
    },
  );
});

describe('parseDigest', () => {
  it('accepts sha256 and nothing else', () => {
    expect(parseDigest(`sha256:${'a'.repeat(64)}`)).toHaveLength(71);
    expect(isDigest(`sha256:${'A'.repeat(64)}`)).toBe(false);
    expect(() => parseDigest('md5:00')).toThrow(/sha256/);
  });
});
