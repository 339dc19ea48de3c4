import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { canonicalJson, type JsonValue } from '../digest/canonical-json.ts';
import { digestText } from '../package/bundle.ts';
import { canonicalForm } from './canonical-form.ts';
import { FACTS } from './facts.ts';

/** A sample of every part that bodies of facts are made of, each with values near its border. */
const SAMPLES: readonly (readonly [string, z.ZodType])[] = [
  ['text', z.string()],
  ['text with a length', z.string().min(1).max(3)],
  ['a digest', digestText],
  ['a pattern', z.string().regex(/^sha256:[0-9a-f]{4}$/)],
  ['a time', z.iso.datetime()],
  ['a date', z.iso.date()],
  ['a number', z.number()],
  ['a bounded number', z.number().min(0).max(1)],
  ['a whole number', z.int().min(1)],
  ['an open interval', z.number().gt(0).lt(2)],
  ['a flag', z.boolean()],
  ['a literal', z.literal('a')],
  ['one of a list', z.enum(['a', 'b'])],
  ['a strict object', z.strictObject({ a: z.int(), b: z.string().optional(), c: z.number().nullable() })],
  ['an object that strips', z.object({ a: z.int() })],
  ['an object that passes', z.looseObject({ a: z.int() })],
  ['a default', z.strictObject({ a: z.int().default(7), b: z.array(z.int()).default([]) })],
  ['a list', z.array(z.int()).min(1).max(2)],
  ['a record', z.record(z.string().max(2), z.int())],
  ['a union', z.union([z.string(), z.int()])],
  [
    'a tagged union',
    z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('a'), a: z.int() }),
      z.strictObject({ kind: z.literal('b'), b: z.string() }),
    ]),
  ],
  ['a rule in code', z.strictObject({ a: z.int(), b: z.int() }).refine(({ a, b }) => a <= b)],
  ['a rule that sees nothing wrong', z.string().superRefine(() => undefined)],
  ['a change of case', z.string().toUpperCase()],
  ['a conversion', z.coerce.number()],
  ['a transform', z.string().transform((text) => text.length)],
];

const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    'a',
    'b',
    'abcd',
    'sha256:00ff',
    '2026-11-20T10:00:00Z',
    '2026-02-29',
    '2024-02-29',
  ),
  fc.constantFrom<unknown>(0, -0, 1, 2, 7, 0.5, -1, 2 ** 53, 1e21, 1e-7, -1.5),
  fc.string({ maxLength: 4 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const key = fc.constantFrom('a', 'b', 'c', 'kind', 'abc', '__proto__', 'constructor');
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map(withMembers),
  ),
}));

/** Unlike Object.fromEntries and like JSON.parse, this also makes a member that is called `__proto__`. */
function withMembers(members: readonly (readonly [string, unknown])[]): unknown {
  const made = {};
  for (const [name, of] of members)
    Object.defineProperty(made, name, { value: of, enumerable: true, configurable: true, writable: true });
  return made;
}

/** A schema, and a value that it takes as it stands; `value` is written in the order in which its keys came. */
type Sample = { readonly schema: z.ZodType; readonly value: unknown };
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('"', '\\', '\n', '\u007f', '\u2028'),
);
/** Not a backslash: once JSON.parse of Node 24 has seen an object with the key `\\`, it reads the key `"` as that one. */
const name = fc
  .oneof(text, fc.constantFrom('10', '9', '', 'a', 'aa', 'A', '\ufb33', '\u{1f600}'))
  .filter((key) => key !== '__proto__' && !key.includes('\\'));
const { sample } = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { maxDepth: 4 },
    text.map((value) => ({ schema: z.string(), value })),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ schema: z.number(), value })),
    fc.oneof(fc.maxSafeInteger(), fc.nat({ max: 99 })).map((value) => ({ schema: z.int(), value })),
    fc.constantFrom({ schema: z.null(), value: null }, { schema: z.boolean(), value: true }),
    tie('sample').map(({ schema, value }) => ({ schema: z.array(schema), value: [value, value] })),
    fc.dictionary(name, tie('sample'), { noNullPrototype: true }).map((members) => {
      const of = (part: keyof Sample): object =>
        Object.fromEntries(Object.entries(members).map(([key, member]) => [key, member[part]]));
      return { schema: z.strictObject(of('schema') as z.ZodRawShape), value: of('value') };
    }),
  ),
}));

/** The slow answer: the parser takes it and changes nothing, and writing it anew gives the same text. */
function isTaken(schema: z.ZodType, json: string): boolean {
  try {
    const document: unknown = JSON.parse(json);
    const parsed = schema.safeParse(document);
    return parsed.success && isDeepStrictEqual(parsed.data, document) && canonicalJson(document as JsonValue) === json;
  } catch {
    return false;
  }
}

function answer(schema: z.ZodType, json: string): boolean {
  return canonicalForm(schema)(Buffer.from(json));
}

const CHARACTERS = Array.from('{}[]:,"\\ \n0123456789eE+-.truefalsnabu\u0001\u007f\u00e9\u{1f600}');
const change = fc.record({ at: fc.nat(), put: fc.constantFrom('', ...CHARACTERS), cut: fc.nat({ max: 2 }) });

function changed(
  json: string,
  { at, put, cut }: { readonly at: number; readonly put: string; readonly cut: number },
): string {
  const place = at % (json.length + 1);
  return json.slice(0, place) + put + json.slice(place + cut);
}

const NUMBERS =
  '0 -0 00 01 1.0 1e2 100 1E2 1e+21 1e21 0.1 1e-7 0.0000001 9007199254740991 9007199254740992 9007199254740993 1e400 -1 -1.5 -01 - + .5 5. 123456789012345 1234567890123456 123456789012345678 1e'.split(
    ' ',
  );

describe('the canonical form', () => {
  it('is told from what canonicalJson writes of a value that the schema takes', () => {
    fc.assert(
      fc.property(sample, ({ schema, value }) => {
        fc.pre(isWellFormed(value));
        expect(answer(schema, canonicalJson(value as JsonValue))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is what reading and writing it anew says, for keys in any order or gaps', () => {
    fc.assert(
      fc.property(sample, fc.constantFrom(undefined, 1, '\t'), ({ schema, value }, gap) => {
        const json = JSON.stringify(value, undefined, gap);
        expect(answer(schema, json)).toBe(isTaken(schema, json));
      }),
      { numRuns: 1_000 },
    );
  });

  it('is what reading and writing it anew says, after a few characters were changed', () => {
    fc.assert(
      fc.property(sample, change, ({ schema, value }, by) => {
        fc.pre(isWellFormed(value));
        const json = changed(canonicalJson(value as JsonValue), by);
        // Bytes hold no lone surrogate; those that are no UTF-8 have a test of their own.
        if (json.isWellFormed()) expect([json, answer(schema, json)]).toEqual([json, isTaken(schema, json)]);
      }),
      { numRuns: 3_000 },
    );
  });

  it.each(NUMBERS)('says of the number %s what reading and writing it anew says', (number) => {
    for (const schema of [z.number(), z.int(), z.int().min(1).max(100), z.number().gt(0).lt(1e21)])
      for (const [outer, json] of [
        [schema, number],
        [z.array(schema), `[${number}]`],
        [z.strictObject({ a: schema }), `{"a":${number}}`],
      ] as const)
        expect([json, answer(outer, json)]).toEqual([json, isTaken(outer, json)]);
  });

  it('counts characters as the parser does', () => {
    fc.assert(
      fc.property(text, fc.nat({ max: 12 }), (value, length) => {
        fc.pre(value.isWellFormed());
        for (const schema of [z.string().min(length), z.string().max(length)])
          expect(answer(schema, canonicalJson(value))).toBe(schema.safeParse(value).success);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    '{"b":"1","a":"2"}',
    '{"a":"1","a":"1"}',
    '{"10":"1","9":"1"}',
    '{"9":"1","10":"1"}',
    '{"":"1"}',
    '{"a":"","a b":""}',
    '{"a b":"","a":""}',
    '{"a!":"","a":""}',
    '{"__proto__":""}',
    '{"a":"",}',
    '{,"a":""}',
    '{"a":""',
  ])('says of the record %s what reading and writing it anew says', (json) => {
    const schema = z.record(z.string(), z.string());
    expect(answer(schema, json)).toBe(isTaken(schema, json));
  });

  it.each([
    [[0x22, 0xff, 0x22]],
    [[0x22, 0xed, 0xa0, 0x80, 0x22]],
    [[0xef, 0xbb, 0xbf, 0x22, 0x22]],
    [[0x22, 0xc3, 0x22]],
  ])('is not that of the bytes %j, which are no UTF-8 or begin with a mark', (bytes) =>
    expect(canonicalForm(z.string())(Buffer.from(bytes))).toBe(false),
  );

  it.each(SAMPLES)('is never that of a text that the parser refuses or changes: %s', (_, schema) => {
    const form = canonicalForm(schema);
    fc.assert(
      fc.property(value, change, (candidate, by) => {
        const whole = canonicalJson(candidate as JsonValue);
        for (const json of [whole, changed(whole, by)])
          if (json.isWellFormed() && form(Buffer.from(json)))
            expect([json, isTaken(schema, json)]).toEqual([json, true]);
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, z.ZodType, unknown]>([
    ['a strict object', z.strictObject({ a: z.int(), b: z.string().optional() }), { a: 1 }],
    ['a digest', digestText, `sha256:${'0f'.repeat(32)}`],
    ['a tagged union', z.discriminatedUnion('k', [z.strictObject({ k: z.literal('a') })]), { k: 'a' }],
    ['a record of lists', z.record(z.string(), z.array(z.number().nullable()).max(2)), { x: [1, null], y: [] }],
    ['a rule in code that holds', z.string().refine((it) => it.length > 1), 'ab'],
    [
      'a rule over members that holds',
      z.strictObject({ a: z.int(), b: z.int() }).refine(({ a, b }) => a <= b),
      { a: 1, b: 2 },
    ],
    ['a time', z.iso.datetime(), '2026-11-20T10:00:00.000Z'],
    ['a default that is given', z.strictObject({ a: z.int().default(7) }), { a: 7 }],
  ])('is that of %s that is as it should be', (_, schema, candidate) => {
    expect(answer(schema, canonicalJson(candidate as JsonValue))).toBe(true);
  });

  it.each<[string, z.ZodType]>([
    ['a default that is missing', z.strictObject({ a: z.int().default(7).optional() })],
    ['options that one value fits', z.union([z.strictObject({ a: z.int().default(7) }), z.strictObject({})])],
  ])('is not told of %s', (_, schema) => expect(answer(schema, '{}')).toBe(false));

  it.each(['recording.accepted', 'recording.evicted', 'label.assigned', 'rollout.action'] as const)(
    'is known for %s, of which there are so many that none may take the slow way',
    (kind) => expect([...partsOf(FACTS[kind])].filter((part) => !KNOWN.has(part))).toEqual([]),
  );
});

/** Texts come from bytes, which hold no lone surrogate. */
function isWellFormed(value: unknown): boolean {
  return !/\\ud[89a-f]/.test(JSON.stringify(value));
}

const KNOWN: ReadonlySet<string> = new Set(
  'string,number,boolean,null,literal,enum,object,never,array,record,union,nullable,optional,default'.split(','),
);

function* partsOf(schema: z.ZodType): Generator<string> {
  const def = schema._zod.def as unknown as Readonly<Record<string, unknown>> & { readonly type: string };
  yield def.type;
  for (const member of Object.values({ ...def, ...(def['shape'] as object | undefined) }).flat())
    if (typeof member === 'object' && member !== null && '_zod' in member && 'def' in (member._zod as object))
      if ('type' in (member._zod as { def: object }).def) yield* partsOf(member as z.ZodType);
}
