/** A feature set: one definition as data, compiled to a streaming evaluator on the vehicle and to SQL in batch. */
import { z } from 'zod';
import { FleetError } from '../errors/fleet-error.ts';

export const FEATURES_MAX = 512;
const name = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'use a-z, 0-9 and _');

/** A signal read from recordings by path, in the catalogue's unit. */
const FeatureSignal = z.strictObject({
  name,
  path: z.string().max(256),
  unit: z.string().max(32),
  /** A window with fewer samples of this signal than this is not emitted (missing data rule). */
  samplesMin: z.int().min(1).max(1_000_000),
});

/** A series computed sample by sample: Euclidean norm of signals of one channel. */
const DerivedSeries = z.strictObject({ name, kind: z.literal('norm'), of: z.array(name).min(2).max(4) });

/** Share of a window's range around its mean inside which a value has no sign. */
export const ZERO_BAND_SHARE = 1e-9;

/**
 * Transforms over the n samples x_1..x_n of one window, in log-time order:
 * mean; std (population); range (max - min); rms; mad (mean of |x_i - x_(i-1)|, 0 for n = 1); min; max; last; count;
 * zero_crossings (sign changes of x - mean(x); a value within ZERO_BAND_SHARE of the window's range from the mean has no sign
 * and is skipped, so that rounding of the mean cannot count as a crossing).
 * Samples that are missing or not finite are skipped. A sample that arrives after a message with a later stamp has closed its
 * window is not part of that window; only messages that carry a signal of the set close windows.
 */
export const TRANSFORMS = [
  'mean',
  'std',
  'range',
  'rms',
  'mad',
  'min',
  'max',
  'last',
  'count',
  'zero_crossings',
] as const;
export type Transform = (typeof TRANSFORMS)[number];

const FeatureDefinition = z.strictObject({ name, input: name, transform: z.enum(TRANSFORMS) });

export const FeatureSet = z
  .strictObject({
    kind: z.literal('feature-set'),
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
    version: z.int().min(1),
    owner: z.string().min(1).max(128),
    validator: z.string().min(1).max(128),
    date: z.iso.date(),
    entity: z.literal('vehicle'),
    /** Windows [k * hopMs, k * hopMs + lengthMs) on the session's clock, k integer: aligned to the epoch, so any recording of the same instants gives the same windows. */
    window: z.strictObject({ lengthMs: z.int().min(10).max(600_000), hopMs: z.int().min(10).max(600_000) }),
    signals: z.array(FeatureSignal).min(1).max(64),
    derived: z.array(DerivedSeries).max(64),
    /** Order is the order of the model's input vector. */
    features: z.array(FeatureDefinition).min(1).max(FEATURES_MAX),
    tolerance: z.strictObject({ absolute: z.number().min(0), relative: z.number().min(0) }),
    latencyBudgetMs: z.number().positive(),
  })
  .superRefine((set, context) => {
    const series = new Set([...set.signals, ...set.derived].map((entry) => entry.name));
    if (series.size !== set.signals.length + set.derived.length) context.addIssue('a series name occurs twice');
    const signals = new Set(set.signals.map((signal) => signal.name));
    for (const derived of set.derived) {
      for (const part of derived.of)
        if (!signals.has(part)) context.addIssue(`derived ${derived.name} names unknown signal ${part}`);
    }
    const seen = new Set<string>();
    for (const feature of set.features) {
      if (!series.has(feature.input)) context.addIssue(`feature ${feature.name} reads unknown series ${feature.input}`);
      if (seen.has(feature.name)) context.addIssue(`feature ${feature.name} occurs twice`);
      seen.add(feature.name);
    }
  });
export type FeatureSet = z.infer<typeof FeatureSet>;

/** @throws FleetError FEATURE_SET_INVALID naming each field that is wrong */
export function parseFeatureSet(document: unknown): FeatureSet {
  const parsed = FeatureSet.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new FleetError('FEATURE_SET_INVALID', `the feature set is not valid: ${z.prettifyError(parsed.error)}`);
}
