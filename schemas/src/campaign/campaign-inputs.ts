/** What the condition of a campaign may read: each input is declared by name, and everything that needs memory is declared here. */
import { z } from 'zod';

export const CAMPAIGN_INPUTS_MAX = 64;
/** Longest sliding window of an input, ms. */
export const INPUT_WINDOW_MS_MAX = 600_000;
export const POLYGON_VERTICES_MAX = 64;
const RATE_HZ_MAX = 10_000;

const name = z.string().regex(/^[a-z][a-zA-Z0-9_]{0,62}$/);
const path = z.string().min(1).max(256);
const latitude = z.number().min(-90).max(90);
const longitude = z.number().min(-180).max(180);

/** The latest value of a signal, converted into `unit`. Absent until the first value; a NaN is "no value" and makes it absent again. */
const SignalInput = z.strictObject({
  kind: z.literal('signal'),
  name,
  path: z.string().max(256),
  unit: z.string().max(32),
});

export const WINDOW_STATISTICS = ['min', 'max', 'mean', 'std', 'range', 'count', 'rate', 'percentile'] as const;

/**
 * A statistic over the samples of the last `windowMs`, (now - windowMs, now]. A NaN is no sample. `std` is of the population; `rate` is
 * samples per second and absent until the session is as old as the window; `percentile` is the smallest sample that at least `p` per
 * cent of the samples do not exceed. `count` and `rate` of nothing are 0, the others are absent below `samplesMin`.
 */
const WindowInput = z
  .strictObject({
    kind: z.literal('window'),
    name,
    path,
    unit: z.string().max(32),
    windowMs: z.int().min(1).max(INPUT_WINDOW_MS_MAX),
    statistic: z.enum(WINDOW_STATISTICS),
    p: z.number().min(0).max(100).optional(),
    samplesMin: z.int().min(1).max(100_000).optional(),
    /** Highest rate at which the signal comes. Declared, every sample is kept, or the campaign is refused when that takes too much. */
    rateHzMax: z.number().positive().max(RATE_HZ_MAX).optional(),
  })
  .superRefine(({ statistic, p, rateHzMax }, context) => {
    if ((statistic === 'percentile') !== (p !== undefined))
      context.addIssue('p belongs to the statistic percentile, and to no other');
    if (statistic === 'percentile' && rateHzMax === undefined)
      context.addIssue('a percentile keeps every sample: declare rateHzMax');
  });

/** A field of the latest inference of one role: output (string), confidence (0..1), distance from the training data. */
const ModelInput = z.strictObject({
  kind: z.literal('model'),
  name,
  field: z.enum(['output', 'confidence', 'distance']),
  role: z.enum(['active', 'shadow']),
});

/** Bool: the active and the shadow model gave different outputs for the same window. Absent until both have answered for one. */
const DisagreementInput = z.strictObject({ kind: z.literal('disagreement'), name });

/**
 * Milliseconds since the last message of a topic, or since the last value of a path, on session time; since the start of the session
 * while there was none.
 */
const StalenessInput = z
  .strictObject({ kind: z.literal('staleness'), name, path: path.optional(), topic: path.optional() })
  .superRefine((input, context) => {
    if ((input.path === undefined) === (input.topic === undefined))
      context.addIssue('name either a path or a topic to watch');
  });

/** Degrees, in order, each side a straight line in latitude and longitude; the last vertex joins the first. At most 180° wide. */
const Polygon = z.array(z.strictObject({ latitude, longitude })).min(3).max(POLYGON_VERTICES_MAX);
const Circle = z.strictObject({ latitude, longitude, radiusM: z.number().positive().max(1_000_000) });

/** Bool: whether the position is inside. Absent while a coordinate is. */
const GeofenceInput = z
  .strictObject({
    kind: z.literal('geofence'),
    name,
    latitudePath: path,
    longitudePath: path,
    polygon: Polygon.optional(),
    circle: Circle.optional(),
  })
  .superRefine((input, context) => {
    if ((input.polygon === undefined) === (input.circle === undefined))
      context.addIssue('give either a polygon or a circle');
  });

/**
 * Bool: a switch on the latest value of a signal. It is set by a sample that reaches `set` and released by one that reaches `release`;
 * between the two it stays as it was, and is released at first. `set` below `release` watches for a fall. Absent like the signal itself;
 * a NaN ends what was set.
 */
const HysteresisInput = z
  .strictObject({
    kind: z.literal('hysteresis'),
    name,
    path,
    unit: z.string().max(32),
    set: z.number(),
    release: z.number(),
  })
  .superRefine(({ set, release }, context) => {
    if (set === release) context.addIssue('set and release must differ: between them nothing changes');
  });

/** A fixed value: an attribute of the campaign itself, or one that the vehicle declares (absent where it does not). */
const AttributeInput = z.strictObject({
  kind: z.literal('attribute'),
  name,
  of: z.enum(['campaign', 'vehicle']),
  attribute: z.string().min(1).max(64),
  type: z.enum(['string', 'number']),
});

export const CampaignInput = z.discriminatedUnion('kind', [
  SignalInput,
  WindowInput,
  ModelInput,
  DisagreementInput,
  StalenessInput,
  GeofenceInput,
  HysteresisInput,
  AttributeInput,
]);
export type CampaignInput = z.infer<typeof CampaignInput>;
export type WindowInput = z.infer<typeof WindowInput>;
export type GeofenceInput = z.infer<typeof GeofenceInput>;
