import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { exactForm } from './exact-form.ts';
import { FACTS } from './facts.ts';

/** A sample of every part that bodies of facts are made of, each with values near its border. */
const SAMPLES: readonly (readonly [string, z.ZodType])[] = [
  ['text', z.string()],
  ['text with a length', z.string().min(1).max(3)],
  ['a digest', z.string().regex(/^sha256:[0-9a-f]{4}$/)],
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
  fc.constantFrom<unknown>(0, -0, 1, 2, 7, 0.5, -1, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, undefined),
  fc.string({ maxLength: 4 }),
  fc.double(),
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

describe('the exact form', () => {
  it.each(SAMPLES)('never accepts what the parser refuses or changes: %s', (_, schema) => {
    const isExact = exactForm(schema);
    fc.assert(
      fc.property(value, (candidate) => {
        if (!isExact(candidate)) return;
        const parsed = schema.safeParse(candidate);
        expect(parsed.success && isDeepStrictEqual(parsed.data, candidate)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, z.ZodType, unknown]>([
    ['a strict object', z.strictObject({ a: z.int(), b: z.string().optional() }), { a: 1 }],
    ['a tagged union', z.discriminatedUnion('k', [z.strictObject({ k: z.literal('a') })]), { k: 'a' }],
    ['a record of lists', z.record(z.string(), z.array(z.number().nullable()).max(2)), { x: [1, null] }],
    ['a rule in code that holds', z.string().refine((text) => text.length > 1), 'ab'],
    ['a time', z.iso.datetime(), '2026-11-20T10:00:00.000Z'],
    ['a default that is given', z.strictObject({ a: z.int().default(7) }), { a: 7 }],
  ])('accepts %s that is as it should be', (_, schema, candidate) => {
    expect(exactForm(schema)(candidate)).toBe(true);
  });

  it.each(['recording.accepted', 'recording.evicted', 'label.assigned', 'rollout.action'] as const)(
    'is known for %s, of which there are so many that none may take the slow way',
    (kind) => expect([...partsOf(FACTS[kind])].filter((part) => !KNOWN.has(part))).toEqual([]),
  );
});

const KNOWN: ReadonlySet<string> = new Set(
  'string,number,boolean,null,literal,enum,object,never,array,record,union,nullable,optional,default,custom'.split(','),
);

function* partsOf(schema: z.ZodType): Generator<string> {
  const def = schema._zod.def as unknown as Readonly<Record<string, unknown>> & { readonly type: string };
  yield def.type;
  for (const member of Object.values({ ...def, ...(def['shape'] as object | undefined) }).flat())
    if (typeof member === 'object' && member !== null && '_zod' in member && 'def' in (member._zod as object))
      if ('type' in (member._zod as { def: object }).def) yield* partsOf(member as z.ZodType);
}
