/**
 * What a sketch counts, fixed before the first row is read: bin edges, known categories, key columns. Two sketches of one
 * definition combine exactly, whatever rows, days or workers they come from; its digest is in every sketch.
 */
import { type Digest, FleetError, type JsonValue } from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import { z } from 'zod';

export const FEATURES_MAX = 2_000;
export const EDGES_MAX = 257;
export const CATEGORIES_MAX = 1_024;
export const KEYS_MAX = 8;
/**
 * Sessions are spread over this many groups by a hash of their name. Groups stay apart in a sketch, so that the variance between
 * sessions can be read from it, with a bounded size however many sessions there are ("random groups" of survey statistics).
 */
export const SESSION_GROUPS = 64;

const name = z.string().min(1).max(128);

export const NumericFeature = z
  .strictObject({
    kind: z.literal('numeric'),
    name,
    column: name,
    /** Strictly increasing. Below the first and above the last are bins of their own. */
    edges: z.array(z.number()).min(2).max(EDGES_MAX),
    /** Moments are sums of the integers round((x - centre) / 2^unitExponent), because only integers add up alike in any order. */
    centre: z.number(),
    unitExponent: z.int().min(-1_060).max(1_000),
    /** Values outside are counted, exactly. */
    range: z.strictObject({ min: z.number(), max: z.number() }).nullable(),
  })
  .refine(({ edges }) => edges.every((edge, index) => index === 0 || edge > (edges[index - 1] as number)), {
    message: 'edges must increase strictly',
  });
export type NumericFeature = Readonly<z.infer<typeof NumericFeature>>;

export const CategoryFeature = z.strictObject({
  kind: z.literal('category'),
  name,
  /** More than one: the category is their values side by side, as for a label and its prediction. */
  columns: z.array(name).min(1).max(2),
  /** The known ones, sorted; whatever else occurs is counted as new. */
  categories: z.array(z.string().max(256)).max(CATEGORIES_MAX),
});
export type CategoryFeature = Readonly<z.infer<typeof CategoryFeature>>;

/** A key: rows with different values of it are counted apart. */
export const SketchKey = z.discriminatedUnion('as', [
  z.strictObject({ name, column: name, as: z.literal('text') }),
  /** A column with ns since the Unix epoch, as hours of the day in classes of equal length, at a fixed offset from UTC. */
  z.strictObject({
    name,
    column: name,
    as: z.literal('hour-of-day'),
    hoursPerClass: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4), z.literal(6), z.literal(12)]),
    utcOffsetHours: z.number().min(-14).max(14),
  }),
  z.strictObject({ name, column: name, as: z.literal('month'), utcOffsetHours: z.number().min(-14).max(14) }),
]);
export type SketchKey = Readonly<z.infer<typeof SketchKey>>;

export const SketchDefinition = z.strictObject({
  kind: z.literal('sketch-definition'),
  version: z.literal(1),
  keys: z.array(SketchKey).max(KEYS_MAX),
  /** Column that names the drive session; null: rows are independent of each other. */
  session: name.nullable(),
  features: z
    .array(z.discriminatedUnion('kind', [NumericFeature, CategoryFeature]))
    .min(1)
    .max(FEATURES_MAX),
});
export type SketchDefinition = Readonly<z.infer<typeof SketchDefinition>>;
export type SketchFeature = SketchDefinition['features'][number];

export function definitionDigest(definition: SketchDefinition): Digest {
  return digestOfDocument(definition as JsonValue);
}

/** @throws FleetError DRIFT_SKETCH naming each field that is wrong */
export function parseSketchDefinition(document: unknown): SketchDefinition {
  const parsed = SketchDefinition.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new FleetError('DRIFT_SKETCH', `the sketch definition is not valid: ${z.prettifyError(parsed.error)}`);
}

/** Joins the values of a category of several columns; it cannot be typed into a name by accident. */
export const CATEGORY_SEPARATOR = '\u001F';

const FNV_OFFSET = 0x81_1c_9d_c5;
const FNV_PRIME = 0x01_00_01_93;

/** FNV-1a over UTF-16 units: the same group for a session in every process and release. */
export function hashText(text: string): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  }
  // FNV's low bits are weak for names that differ in their last digit only.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

export const groupOfSession = (session: string): number => hashText(session) % SESSION_GROUPS;
