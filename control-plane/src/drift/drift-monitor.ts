/** The drift monitor as a file: which columns are watched, by which tests, against which baseline, for whom. */
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';
import { CATEGORIES_MAX, EDGES_MAX, FEATURES_MAX, KEYS_MAX, SketchKey } from './sketch-definition.ts';

export const SLICES_MAX = 64;

export const TEST_NAMES = [
  'psi',
  'kolmogorov_smirnov',
  'jensen_shannon',
  'wasserstein',
  'missing_rate',
  'out_of_range',
  'new_categories',
] as const;
export type TestName = (typeof TEST_NAMES)[number];
export const SEVERITIES = ['info', 'warning', 'error'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Effects below these are not worth anybody's attention, however significant they are. */
const THRESHOLDS: Readonly<Record<TestName, number>> = {
  psi: 0.2,
  kolmogorov_smirnov: 0.1,
  jensen_shannon: 0.1,
  wasserstein: 0.1,
  missing_rate: 0.02,
  out_of_range: 0.01,
  new_categories: 0.01,
};

const NUMERIC_TESTS = ['psi', 'kolmogorov_smirnov', 'jensen_shannon', 'wasserstein', 'missing_rate'] as const;
const CATEGORY_TESTS = ['psi', 'jensen_shannon', 'missing_rate', 'new_categories'] as const;

const name = z.string().min(1).max(128);
const common = {
  name,
  /** Whom an alert about this feature goes to, where it is not the owner of the monitor. */
  owner: name.optional(),
  severity: z.enum(SEVERITIES).optional(),
  /** Tests of this feature, where they are not all that fit its kind. */
  tests: z.array(z.enum(TEST_NAMES)).min(1).optional(),
};

const MonitoredNumeric = z
  .strictObject({
    ...common,
    kind: z.literal('numeric'),
    /** Absent: the name. */
    column: name.optional(),
    /** A number of bins of equal weight in the reference, or their edges. */
    bins: z
      .union([
        z
          .int()
          .min(2)
          .max(EDGES_MAX - 1),
        z
          .array(z.number())
          .min(2)
          .max(EDGES_MAX)
          .refine((edges) => edges.every((edge, index) => index === 0 || edge > (edges[index - 1] as number)), {
            error: 'the edges of bins must rise',
          })
          .refine((edges) => Number.isFinite((edges.at(-1) as number) - (edges[0] as number)), {
            error: 'the edges of bins are further apart than a number can hold',
          }),
      ])
      .default(32),
    /** Values outside are wrong, whatever the reference says. */
    range: z
      .strictObject({ min: z.number(), max: z.number() })
      .refine(({ min, max }) => min <= max, { error: 'min is above max' })
      .nullable()
      .default(null),
  })
  .transform(({ column, ...feature }) => ({ ...feature, column: column ?? feature.name }));

const MonitoredCategory = z
  .strictObject({
    ...common,
    kind: z.literal('category'),
    columns: z.array(name).min(1).max(2).optional(),
    /** Absent: those of the reference. */
    categories: z.array(z.string().max(256)).max(CATEGORIES_MAX).optional(),
  })
  .transform(({ columns, ...feature }) => ({ ...feature, columns: columns ?? [feature.name] }));

export const DriftMonitor = z
  .strictObject({
    kind: z.literal('drift-monitor'),
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
    version: z.int().min(1),
    /** Who is told, and answers for what is watched. */
    owner: name,
    severity: z.enum(SEVERITIES).default('warning'),
    features: z
      .array(z.discriminatedUnion('kind', [MonitoredNumeric, MonitoredCategory]))
      .min(1)
      .max(FEATURES_MAX),
    /** Rows of one session resemble each other; a drive is one witness, however many windows it has. Null: rows are independent. */
    session: name.nullable(),
    /** Columns that baselines and slices may speak of. */
    keys: z.array(SketchKey).max(KEYS_MAX).default([]),
    /** Keys whose every value is compared with the same value in the reference: winter with winter. */
    seasons: z.array(name).max(KEYS_MAX).default([]),
    /** Parts of the fleet that are looked at by themselves beside the whole; `where` is CEL over the keys. */
    slices: z
      .array(z.strictObject({ name, where: z.string().min(1).max(2_000) }))
      .max(SLICES_MAX)
      .default([]),
    thresholds: z.partialRecord(z.enum(TEST_NAMES), z.number().min(0)).default({}),
    /** With fewer on either side the verdict is `inconclusive`. */
    sampleMin: z.strictObject({ rows: z.int().min(1).default(100), sessions: z.int().min(1).default(4) }).prefault({}),
    /** How often there may be a false alarm although nothing has changed: a rate of all alarms, or in the whole evaluation. */
    correction: z
      .strictObject({
        method: z.enum(['benjamini-hochberg', 'holm']).default('benjamini-hochberg'),
        level: z.number().gt(0).max(0.5).default(0.05),
      })
      .prefault({}),
  })
  .superRefine((monitor, context) => {
    for (const feature of monitor.features)
      for (const test of feature.tests ?? [])
        if (!fittingTests(feature).includes(test))
          context.addIssue(
            `${test} does not fit ${feature.name}: ${feature.kind === 'numeric' && test === 'out_of_range' ? 'it has no range' : `it is ${feature.kind}`}`,
          );
    const names = monitor.features.map((feature) => feature.name);
    if (new Set(names).size < names.length) context.addIssue('a feature occurs twice');
    const keys = new Set(monitor.keys.map((key) => key.name));
    if (keys.size < monitor.keys.length) context.addIssue('a key occurs twice');
    for (const season of monitor.seasons) if (!keys.has(season)) context.addIssue(`season ${season} is no key`);
  })
  .transform((monitor) => ({ ...monitor, thresholds: { ...THRESHOLDS, ...monitor.thresholds } }));
export type DriftMonitor = Readonly<z.infer<typeof DriftMonitor>>;
export type MonitoredFeature = DriftMonitor['features'][number];

/** The tests that fit a feature: out of range only where a range is declared. */
export function fittingTests(
  feature: { readonly kind: 'category' } | { readonly kind: 'numeric'; readonly range: object | null },
): readonly TestName[] {
  if (feature.kind === 'category') return CATEGORY_TESTS;
  return feature.range === null ? NUMERIC_TESTS : [...NUMERIC_TESTS, 'out_of_range'];
}

/** @throws FleetError DRIFT_MONITOR_INVALID naming each field that is wrong */
export function parseDriftMonitor(document: unknown): DriftMonitor {
  const parsed = DriftMonitor.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new FleetError('DRIFT_MONITOR_INVALID', `the drift monitor is not valid: ${z.prettifyError(parsed.error)}`);
}
