/** Holds canonical JSON against the vectors of RFC 8785 and against its own invariants. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, JSON_DEPTH_MAX, type JsonValue } from './canonical-json.ts';

describe('canonicalJson', () => {
  it('orders keys by UTF-16 code units (RFC 8785 §3.2.3)', () => {
    const document = JSON.parse(
      '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew","1":"One","\\ud83d\\ude00":"Emoji","\\u0080":"Control","\\u00f6":"o"}',
    ) as JsonValue;
    expect(Object.keys(JSON.parse(canonicalJson(document)) as object)).toHaveLength(7);
    expect(canonicalJson(document)).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"o","€":"Euro Sign","😀":"Emoji","\ufb33":"Hebrew"}',
    );
  });

  it('writes numbers as ECMAScript does (RFC 8785 §3.2.2.3)', () => {
    expect(canonicalJson([333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001, -0])).toBe(
      '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]',
    );
  });

  it('gives the same text whatever the order of the keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), (document) => {
        const reversed = Object.fromEntries(Object.entries(document).reverse());
        expect(canonicalJson(reversed as JsonValue)).toBe(canonicalJson(document as JsonValue));
      }),
    );
  });

  it('keeps what JSON can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (document) => {
        expect(JSON.parse(canonicalJson(document as JsonValue))).toEqual(JSON.parse(JSON.stringify(document)));
      }),
    );
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY], ['\ud800'], [{ a: '\udfff' }]])('refuses %j', (value) => {
    expect(() => canonicalJson(value as JsonValue)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });

  it('refuses nesting over its limit', () => {
    let nested: JsonValue = 1;
    for (let level = 0; level <= JSON_DEPTH_MAX; level += 1) nested = [nested];
    expect(() => canonicalJson(nested)).toThrow(/nesting/);
  });
});
