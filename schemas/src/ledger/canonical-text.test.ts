import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, type JsonValue } from '../digest/canonical-json.ts';
import { isCanonicalJson } from './canonical-text.ts';

/** The slow answer: write it anew and compare. */
function isSame(text: string): boolean {
  try {
    return canonicalJson(JSON.parse(text) as JsonValue) === text;
  } catch {
    return false;
  }
}

function answer(text: string): boolean {
  try {
    return isCanonicalJson(text, JSON.parse(text));
  } catch {
    return false;
  }
}

const numbers = [
  '0',
  '-0',
  '1.0',
  '1e2',
  '100',
  '1E2',
  '1e+21',
  '1e21',
  '0.1',
  '1e-7',
  '0.0000001',
  '9007199254740993',
  '1e400',
  '-1.5',
  '123456789012345678',
];

describe('canonical text', () => {
  it('is told from what canonicalJson writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(answer(canonicalJson(value as JsonValue))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is what writing it anew says, for JSON written in any other order or with gaps', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, gap) => {
        const text = JSON.stringify(value, undefined, gap);
        expect(answer(text)).toBe(isSame(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it('is what writing it anew says, after any one character was changed', () => {
    const character = fc.constantFrom(...Array.from('{}[]:,"\\ \n0123456789eE+-.truefalsnab\u00e9\u{1f600}\ud800'));
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), character, fc.nat({ max: 2 }), (value, place, put, cut) => {
        const text = canonicalJson(value as JsonValue);
        const at = place % (text.length + 1);
        const changed = text.slice(0, at) + put + text.slice(at + cut);
        // Text comes from bytes that were checked to be UTF-8, which holds no lone surrogate.
        if (changed.isWellFormed()) expect(answer(changed)).toBe(isSame(changed));
      }),
      { numRuns: 3_000 },
    );
  });

  it.each(numbers)('says of the number %s what writing it anew says', (number) => {
    for (const text of [number, `[${number}]`, `{"a":${number},"b":${number}}`])
      expect(answer(text)).toBe(isSame(text));
  });

  it.each([
    '{"b":1,"a":2}',
    '{"a":1,"a":1}',
    '{"10":1,"9":1}',
    '{"9":1,"10":1}',
    '{"":1,"a":{"":2}}',
    '[{"b":1},{"a":1}]',
    '{"a":[1,"b"],"b":"a"}',
  ])('says of the keys in %s what writing it anew says', (text) => expect(answer(text)).toBe(isSame(text)));

  it.each([64, 65, 66])('counts the depth of %s lists as canonicalJson does', (depth) => {
    for (const inner of ['', '1', '{}']) {
      const text = `${'['.repeat(depth)}${inner}${']'.repeat(depth)}`;
      expect(answer(text)).toBe(isSame(text));
    }
  });
});
