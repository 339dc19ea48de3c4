/** The parts of a feature set: signals, series derived from them, and features over the windows of a series. */
import { z } from 'zod';
import { ENCODING_STEPS_MAX, FeatureEncoding } from './feature-encoding.ts';
import { WINDOW_MS_MAX } from './feature-window.ts';

export const FEATURES_MAX = 512;
/** Samples beyond this are no measurements and are skipped as if missing: their squares and sums would not be numbers any more. */
export const SAMPLE_ABS_MAX = 1e100;
/** Share of a window's range around its mean inside which a value has no sign. */
export const ZERO_BAND_SHARE = 1e-9;
/**
 * A window whose range is at most this share of its largest magnitude, or below RANGE_MIN (where squares are no numbers any more), is
 * constant: it has no correlation, and no energy in a band.
 */
export const CONSTANT_SHARE = 1e-9;
export const RANGE_MIN = 1e-100;
/** Fewest pairs of samples that have a correlation. */
export const PAIRS_MIN = 3;
/** Two lags whose correlations are this close are equally good; the shorter one counts, and of two the positive. */
export const LAG_TIE = 1e-9;
/** Most frequencies of one band, lags to each side, and grid points of one window. */
export const BAND_FREQUENCIES_MAX = 256;
export const LAG_STEPS_MAX = 64;
export const GRID_POINTS_MAX = 4_096;
const AGE_MS_MAX = 600_000;

const name = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'use a-z, 0-9 and _');
const ageMsMax = z.int().min(1).max(AGE_MS_MAX);
const finite = z.number().min(-SAMPLE_ABS_MAX).max(SAMPLE_ABS_MAX);

/**
 * What stands in for samples that are not there.
 * hold: the newest sample before the window, at most ageMsMax older than the window's start, is the window's first sample, stamped at its start.
 * constant: a window with fewer than samplesMin samples counts as if it had one sample of this value.
 * Both hold for the features of that signal; series derived from it and features over two series see the samples that are there.
 */
const Fill = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('hold'), ageMsMax }),
  z.strictObject({ kind: z.literal('constant'), value: finite }),
]);

/** A signal read from recordings by path, in the catalogue's unit. */
export const FeatureSignal = z.strictObject({
  name,
  path: z.string().max(256),
  unit: z.string().max(32),
  /** A window with fewer samples of this signal than this is not emitted (missing data rule), unless a constant fills it. */
  samplesMin: z.int().min(0).max(1_000_000),
  /** Nominal rate; needed by `missing_share`. */
  rateHz: z.number().positive().max(1e6).optional(),
  fill: Fill.optional(),
});
export type FeatureSignal = z.infer<typeof FeatureSignal>;

/**
 * A series computed sample by sample: Euclidean norm of `of`; ratio of the first to the second; difference of the first and the second.
 * Without ageMsMax all parts stand in one message. With it there is a value at each sample of the first part, computed from the newest
 * samples of the others at or before it (by stamp, then arrival), where none of them is older than ageMsMax.
 */
export const DerivedSeries = z
  .strictObject({
    name,
    kind: z.enum(['norm', 'ratio', 'difference']),
    of: z.array(name).min(2).max(4),
    ageMsMax: ageMsMax.optional(),
    /** As for a signal; 1 if absent. */
    samplesMin: z.int().min(0).max(1_000_000).optional(),
  })
  .refine((series) => series.kind === 'norm' || series.of.length === 2, {
    error: 'a ratio or difference is of two signals',
  });
export type DerivedSeries = z.infer<typeof DerivedSeries>;

/**
 * Transforms over the n samples x_1..x_n at t_1..t_n of one window, in log-time order, equal stamps in order of arrival:
 * mean; std (population); range (max - min); rms; mad (mean of |x_i - x_(i-1)|, 0 for n = 1); min; max; last; count;
 * zero_crossings (sign changes of x - mean(x); a value within ZERO_BAND_SHARE of the window's range from the mean has no sign
 * and is skipped, so that rounding of the mean cannot count as a crossing).
 * Samples that are missing, not finite or beyond SAMPLE_ABS_MAX are skipped.
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

/** Per second: slope of the least-squares line; rate_of_change (x_n - x_1) / (t_n - t_1). Not defined where all stamps are one. */
export const TIME_TRANSFORMS = ['slope', 'rate_of_change'] as const;

const Tolerance = z.strictObject({ absolute: z.number().min(0), relative: z.number().min(0) });
export type FeatureTolerance = z.infer<typeof Tolerance>;
/** A controlled divergence: who answers for it and until when (that day included); afterwards the set's own tolerance holds again. */
const ToleranceOverride = Tolerance.extend({
  owner: z.string().min(1).max(128),
  reason: z.string().min(1).max(512),
  expires: z.iso.date(),
});

const common = {
  name,
  input: name,
  unit: z.string().max(32).optional(),
  description: z.string().max(512).optional(),
  /** Steps applied in order to what the transform gives. */
  encode: z.array(FeatureEncoding).min(1).max(ENCODING_STEPS_MAX).optional(),
  /**
   * The value where transform or encoding is not defined: a constant, or `missing` (NaN in a vector, NULL in a table). Without it a
   * window in which the feature is not defined is not emitted.
   */
  otherwise: z.union([finite, z.literal('missing')]).optional(),
  tolerance: ToleranceOverride.optional(),
};

const WindowFeature = z.strictObject({ ...common, transform: z.enum([...TRANSFORMS, ...TIME_TRANSFORMS]) });
/** Share of the samples that `rateHz` promises for the window and that are not there, 0 to 1; filled samples do not count. */
const MissingShare = z.strictObject({ ...common, transform: z.literal('missing_share') });
/** The p-th quantile, p from 0 to 1, with linear interpolation between the samples at floor and ceiling of (n - 1) p. */
const Percentile = z.strictObject({ ...common, transform: z.literal('percentile'), p: z.number().min(0).max(1) });
/**
 * Mean square of the part of the window with frequencies in [lowHz, highHz]: with window length T in s, Hann weights
 * w_i = (1 - cos(2 pi t_i / T)) / 2 for t_i from the window's start, y_i = w_i (x_i - mean(x)) and the frequencies f_j = lowHz + j stepHz,
 * 2 stepHz T sum_j |sum_i y_i exp(-2 pi i f_j t_i)|^2 / (n sum_i w_i^2): the integral of the periodogram at the samples' own times.
 * A sine of amplitude A inside the band gives A^2 / 2 where stepHz = 1/T. 0 for a constant window, not defined for n = 1.
 */
const BandEnergy = z
  .strictObject({
    ...common,
    transform: z.literal('band_energy'),
    lowHz: z.number().positive().max(1e5),
    highHz: z.number().positive().max(1e5),
    stepHz: z.number().positive().max(1e5),
  })
  .refine((band) => band.highHz >= band.lowHz, { error: 'highHz is below lowHz' })
  .refine((band) => bandFrequencies(band).length <= BAND_FREQUENCIES_MAX, {
    error: `more than ${BAND_FREQUENCIES_MAX} frequencies: raise stepHz`,
  });
/** Pearson's correlation of the input's samples with the newest sample of `with` at or before each, not older than ageMsMax. */
const Correlation = z.strictObject({ ...common, transform: z.literal('correlation'), with: name, ageMsMax });
/**
 * By how many ms `with` follows the input: both are read on the grid start + i gridMs (newest sample, not older than ageMsMax), and the
 * lag l of at most lagMsMax to either side with the highest correlation of x_i with y_(i + l) is the value. Ties: LAG_TIE.
 */
const Lag = z
  .strictObject({
    ...common,
    transform: z.literal('lag'),
    with: name,
    ageMsMax,
    gridMs: z.int().min(1).max(WINDOW_MS_MAX),
    lagMsMax: z.int().min(1).max(WINDOW_MS_MAX),
  })
  .refine((lag) => lag.gridMs <= lag.lagMsMax, { error: 'lagMsMax is below gridMs' })
  .refine((lag) => lag.lagMsMax <= lag.gridMs * LAG_STEPS_MAX, {
    error: `more than ${LAG_STEPS_MAX} lags to a side: raise gridMs`,
  });

export const FeatureDefinition = z.discriminatedUnion('transform', [
  WindowFeature,
  MissingShare,
  Percentile,
  BandEnergy,
  Correlation,
  Lag,
]);
export type FeatureDefinition = z.infer<typeof FeatureDefinition>;
export type BandEnergy = z.infer<typeof BandEnergy>;
export type Correlation = z.infer<typeof Correlation>;
export type Lag = z.infer<typeof Lag>;

/** Frequencies of a band, Hz. The count is taken with a margin so that 0.1 + 0.2 does not lose its last one. */
export function bandFrequencies(band: {
  readonly lowHz: number;
  readonly highHz: number;
  readonly stepHz: number;
}): readonly number[] {
  const count = Math.floor((band.highHz - band.lowHz) / band.stepHz + 1e-9) + 1;
  // One more than the maximum is enough to refuse it.
  return Array.from(
    { length: Math.min(count, BAND_FREQUENCIES_MAX + 1) },
    (_, index) => band.lowHz + index * band.stepHz,
  );
}
