/** A feature set compiled once: series with their buffers and closures that read them, so that a window costs calls and no searching. */
import { AlignedSeries } from './aligned-series.ts';
import { usable } from './channel-binding.ts';
import type { DerivedSeries, FeatureDefinition, FeatureSignal } from './feature-definition.ts';
import { compileEncoding } from './feature-encoding.ts';
import type { FeatureSet } from './feature-set.ts';
import { compileCorrelation, compileLag } from './relation-transforms.ts';
import { SampleBuffer } from './sample-buffer.ts';
import { SeriesWindow } from './series-window.ts';
import { compileTransform, type OwnFeature } from './window-transforms.ts';

const NS_PER_MS = 1_000_000;

/** A series whose samples are kept: a signal, or one derived from the parts of a message. */
export type StoredSeries = {
  readonly buffer: SampleBuffer;
  readonly window: SeriesWindow;
  readonly isSignal: boolean;
  readonly samplesMin: number;
  /** How long before a window its newest sample may be to be held, ns; 0 for never. */
  readonly holdNs: number;
  /** Whether a constant stands in for too few samples. */
  readonly isFilledByConstant: boolean;
};

export type FeatureProgram = {
  /** By position in `[...signals, ...derived]`; undefined for those that are aligned. */
  readonly stored: readonly (StoredSeries | undefined)[];
  readonly aligned: readonly { readonly series: AlignedSeries; readonly samplesMin: number }[];
  /** In the set's order. Each gives NaN where it has no value. */
  readonly features: readonly CompiledFeature[];
  /** How far before a window samples may matter to it, ns. */
  readonly historyNs: number;
};

export type CompiledFeature = {
  readonly evaluate: () => number;
  /** Without a value the window is not emitted. */
  readonly isRequired: boolean;
};

export function compileFeatures(featureSet: FeatureSet): FeatureProgram {
  const stored = [
    ...featureSet.signals.map(storeSignal),
    ...featureSet.derived.map((derived) => (derived.ageMsMax === undefined ? storeDerived(derived) : undefined)),
  ];
  const windows = new Map<string, SeriesWindow>();
  [...featureSet.signals, ...featureSet.derived].forEach(({ name }, index) => {
    const series = stored[index];
    if (series !== undefined) windows.set(name, series.window);
  });
  const aligned = featureSet.derived.flatMap((derived) => {
    if (derived.ageMsMax === undefined) return [];
    const parts = derived.of.map((part) => windowOf(windows, part));
    const series = new AlignedSeries(derived, derived.ageMsMax, parts);
    windows.set(derived.name, series.window);
    return [{ series, samplesMin: derived.samplesMin ?? 1 }];
  });
  const features = featureSet.features.map((feature) => compileFeature(feature, featureSet, windows));
  return { stored, aligned, features, historyNs: historyMs(featureSet) * NS_PER_MS };
}

/** The largest age at which a sample before a window still matters to it. */
export function historyMs(featureSet: FeatureSet): number {
  return Math.max(
    0,
    ...featureSet.signals.map((signal) => (signal.fill?.kind === 'hold' ? signal.fill.ageMsMax : 0)),
    ...featureSet.derived.map((derived) => derived.ageMsMax ?? 0),
    ...featureSet.features.map((feature) => ('ageMsMax' in feature ? feature.ageMsMax : 0)),
  );
}

function storeSignal(signal: FeatureSignal): StoredSeries {
  const { fill } = signal;
  return {
    buffer: new SampleBuffer(),
    window: new SeriesWindow(),
    isSignal: true,
    samplesMin: signal.samplesMin,
    holdNs: fill?.kind === 'hold' ? fill.ageMsMax * NS_PER_MS : 0,
    isFilledByConstant: fill?.kind === 'constant',
  };
}

/** A derived series needs one sample at least, if nothing else is said: its parts may be usable at different instants. */
function storeDerived(derived: DerivedSeries): StoredSeries {
  const samplesMin = derived.samplesMin ?? 1;
  return {
    buffer: new SampleBuffer(),
    window: new SeriesWindow(),
    isSignal: false,
    samplesMin,
    holdNs: 0,
    isFilledByConstant: false,
  };
}

function compileFeature(
  feature: FeatureDefinition,
  featureSet: FeatureSet,
  windows: ReadonlyMap<string, SeriesWindow>,
): CompiledFeature {
  const transform = compileInput(feature, featureSet, windows);
  const encode = feature.encode === undefined ? undefined : compileEncoding(feature.encode);
  const { otherwise } = feature;
  const constant = typeof otherwise === 'number' ? otherwise : Number.NaN;
  const evaluate = (): number => {
    const value = usable(encode === undefined ? transform() : encode(transform()));
    return Number.isNaN(value) ? constant : value;
  };
  return { evaluate, isRequired: otherwise === undefined };
}

function compileInput(
  feature: FeatureDefinition,
  featureSet: FeatureSet,
  windows: ReadonlyMap<string, SeriesWindow>,
): () => number {
  const input = windowOf(windows, feature.input);
  if (feature.transform === 'correlation') return compileCorrelation(feature, input, windowOf(windows, feature.with));
  if (feature.transform === 'lag') return compileLag(feature, input, windowOf(windows, feature.with));
  const signal = featureSet.signals.find((candidate) => candidate.name === feature.input);
  const transform = compileTransform(feature, signal?.rateHz);
  if (signal?.fill?.kind !== 'constant') return () => transform(input);
  const ofConstant = transformOfConstant(feature, signal.fill.value);
  return () => (input.isFilled ? ofConstant : transform(input));
}

/** What a transform gives of a window that a constant fills. */
export function transformOfConstant(feature: OwnFeature, value: number): number {
  const window = new SeriesWindow();
  window.times = new Float64Array(1);
  window.values = Float64Array.of(value);
  window.to = 1;
  window.held = 1;
  window.reset(0, 1);
  return compileTransform(feature, 1)(window);
}

function windowOf(windows: ReadonlyMap<string, SeriesWindow>, name: string): SeriesWindow {
  const window = windows.get(name);
  if (window === undefined) throw new Error(`a parsed feature set has a series ${name}`);
  return window;
}
