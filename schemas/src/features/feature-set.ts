/** A feature set: one definition as data, compiled to a streaming evaluator on the vehicle and to SQL in batch. */
import { z } from 'zod';
import { FleetError } from '../errors/fleet-error.ts';
import {
  DerivedSeries,
  FeatureDefinition,
  FEATURES_MAX,
  FeatureSignal,
  GRID_POINTS_MAX,
} from './feature-definition.ts';
import { FeatureWindow, isSessionWindow } from './feature-window.ts';

const SIGNALS_MAX = 64;
const DERIVED_MAX = 64;

export const FeatureSet = z
  .strictObject({
    kind: z.literal('feature-set'),
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
    version: z.int().min(1),
    owner: z.string().min(1).max(128),
    validator: z.string().min(1).max(128),
    date: z.iso.date(),
    entity: z.literal('vehicle'),
    window: FeatureWindow,
    signals: z.array(FeatureSignal).min(1).max(SIGNALS_MAX),
    derived: z.array(DerivedSeries).max(DERIVED_MAX),
    /** Order is the order of the model's input vector. */
    features: z.array(FeatureDefinition).min(1).max(FEATURES_MAX),
    tolerance: z.strictObject({ absolute: z.number().min(0), relative: z.number().min(0) }),
    latencyBudgetMs: z.number().positive(),
  })
  .superRefine((set, context) => {
    for (const fault of faultsOf(set)) context.addIssue(fault);
  });
export type FeatureSet = z.infer<typeof FeatureSet>;

/** @throws FleetError FEATURE_SET_INVALID naming each field that is wrong */
export function parseFeatureSet(document: unknown): FeatureSet {
  const parsed = FeatureSet.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new FleetError('FEATURE_SET_INVALID', `the feature set is not valid: ${z.prettifyError(parsed.error)}`);
}

type Parts = Pick<FeatureSet, 'window' | 'signals' | 'derived' | 'features'>;

/** What no single field can show: names that meet nothing, or meet twice. */
function* faultsOf(set: Parts): Generator<string> {
  const series = new Set([...set.signals, ...set.derived].map((entry) => entry.name));
  if (series.size !== set.signals.length + set.derived.length) yield 'a series name occurs twice';
  const signals = new Set(set.signals.map((signal) => signal.name));
  for (const derived of set.derived)
    for (const part of derived.of) if (!signals.has(part)) yield `derived ${derived.name} names unknown signal ${part}`;
  const seen = new Set<string>();
  for (const feature of set.features) {
    if (!series.has(feature.input)) yield `feature ${feature.name} reads unknown series ${feature.input}`;
    // A table has these columns of its own.
    if (['session', 'window_start_ns', 'window_end_ns'].includes(feature.name))
      yield `${feature.name} cannot name a feature`;
    if (seen.has(feature.name)) yield `feature ${feature.name} occurs twice`;
    seen.add(feature.name);
    yield* faultsOfFeature(set, feature);
  }
}

function* faultsOfFeature(set: Parts, feature: FeatureDefinition): Generator<string> {
  if (feature.transform === 'missing_share') {
    const signal = set.signals.find((candidate) => candidate.name === feature.input);
    if (signal?.rateHz === undefined) yield `feature ${feature.name} needs a signal with rateHz as its input`;
  }
  if (feature.transform !== 'correlation' && feature.transform !== 'lag') return;
  const known = new Set([...set.signals, ...set.derived].map((entry) => entry.name));
  if (!known.has(feature.with)) yield `feature ${feature.name} reads unknown series ${feature.with}`;
  const aligned = new Set(set.derived.filter((entry) => entry.ageMsMax !== undefined).map((entry) => entry.name));
  for (const input of [feature.input, feature.with]) {
    if (aligned.has(input)) yield `feature ${feature.name} reads ${input}, which is aligned already: name signals`;
  }
  if (feature.transform !== 'lag') return;
  const lengthMs = isSessionWindow(set.window) ? set.window.lengthMsMax : set.window.lengthMs;
  if (lengthMs > feature.gridMs * GRID_POINTS_MAX)
    yield `feature ${feature.name} has more than ${GRID_POINTS_MAX} grid points: raise gridMs`;
}
