/** Encodings: from the number that a transform gives to the number that a model wants, with constants stored in the definition. */
import { z } from 'zod';
import { assertNever } from '../errors/fleet-error.ts';

/** Most steps of one feature. */
export const ENCODING_STEPS_MAX = 8;
const CATEGORIES_MAX = 256;
const EDGES_MAX = 256;

const finite = z.number().min(-1e100).max(1e100);
const label = z.string().min(1).max(64);
/** What the codes of an enum or string signal mean; the order is that of `ordinal`. Codes are compared exactly. */
const categories = z
  .array(z.strictObject({ label, code: finite }))
  .min(1)
  .max(CATEGORIES_MAX)
  .refine((entries) => new Set(entries.map((entry) => entry.code)).size === entries.length, {
    error: 'two categories have the same code',
  })
  .refine((entries) => new Set(entries.map((entry) => entry.label)).size === entries.length, {
    error: 'two categories have the same label',
  });

/** A code that is in no category: a value of its own (`other`), or no value, so that the feature's `otherwise` decides (`undefined`). */
const unknown = z.enum(['other', 'undefined']);
/** The category of a one-hot feature that stands for every code outside the vocabulary. */
export const OTHER_CATEGORY = 'other';

const Clip = z
  .strictObject({ kind: z.literal('clip'), min: finite, max: finite })
  .refine((step) => step.min <= step.max, {
    error: 'min is above max',
  });
/** ln(x + offset); not defined where that is not positive. */
const Log = z.strictObject({ kind: z.literal('log'), offset: finite });
const Standardise = z.strictObject({
  kind: z.literal('standardise'),
  mean: finite,
  std: z.number().positive().max(1e100),
});
/** How many edges are at or below x: 0 below the first, edges.length from the last on. */
const Bucketize = z
  .strictObject({ kind: z.literal('bucketize'), edges: z.array(finite).min(1).max(EDGES_MAX) })
  .refine(({ edges }) => edges.every((edge, index) => index === 0 || edge > (edges[index - 1] as number)), {
    error: 'edges must rise',
  });
/** 1 where the code is that of `category`, else 0; with `unknown: undefined` a code outside the vocabulary is not defined. */
const OneHot = z
  .strictObject({ kind: z.literal('one_hot'), categories, category: label, unknown })
  .refine(
    ({ categories: known, category, unknown: rule }) =>
      known.some((entry) => entry.label === category) || (category === OTHER_CATEGORY && rule === 'other'),
    { error: 'category is not one of categories' },
  );
/** Position of the code among `categories`, from 0; with `unknown: other` their number stands for all others. */
const Ordinal = z.strictObject({ kind: z.literal('ordinal'), categories, unknown });

export const FeatureEncoding = z.discriminatedUnion('kind', [Clip, Log, Standardise, Bucketize, OneHot, Ordinal]);
export type FeatureEncoding = z.infer<typeof FeatureEncoding>;

/** Compiles steps to one function; it gives NaN where a step is not defined. */
export function compileEncoding(steps: readonly FeatureEncoding[]): (value: number) => number {
  const functions = steps.map(compileStep);
  const [only] = functions;
  if (only !== undefined && functions.length === 1) return only;
  return (value) => {
    let encoded = value;
    for (const step of functions) encoded = step(encoded);
    return encoded;
  };
}

function compileStep(step: FeatureEncoding): (value: number) => number {
  switch (step.kind) {
    case 'clip':
      return (value) => (value < step.min ? step.min : value > step.max ? step.max : value);
    case 'log':
      return (value) => (value + step.offset > 0 ? Math.log(value + step.offset) : Number.NaN);
    case 'standardise':
      return (value) => (value - step.mean) / step.std;
    case 'bucketize':
      return compileBuckets(step.edges);
    case 'one_hot':
      return compileOneHot(step);
    case 'ordinal':
      return compileOrdinal(step);
    default:
      return assertNever(step);
  }
}

function compileBuckets(edges: readonly number[]): (value: number) => number {
  return (value) => {
    if (Number.isNaN(value)) return value;
    let count = 0;
    for (const edge of edges) if (edge <= value) count += 1;
    return count;
  };
}

function compileOneHot(step: z.infer<typeof OneHot>): (value: number) => number {
  const codes = new Set(step.categories.map((entry) => entry.code));
  const wanted = step.categories.find((entry) => entry.label === step.category)?.code;
  const ofUnknown = step.unknown === 'undefined' ? Number.NaN : wanted === undefined ? 1 : 0;
  return (value) => {
    if (Number.isNaN(value)) return value;
    if (!codes.has(value)) return ofUnknown;
    return value === wanted ? 1 : 0;
  };
}

function compileOrdinal(step: z.infer<typeof Ordinal>): (value: number) => number {
  const codes = step.categories.map((entry) => entry.code);
  const ofUnknown = step.unknown === 'undefined' ? Number.NaN : codes.length;
  return (value) => {
    if (Number.isNaN(value)) return value;
    const position = codes.indexOf(value);
    return position < 0 ? ofUnknown : position;
  };
}
