// Why this file exists: the engines must agree for every definition that can be written, not for those that somebody thought of.
import { type FeatureSet, parseFeatureSet, TRANSFORMS } from '@fleetloop/schemas';
import { TIME_TRANSFORMS } from '@fleetloop/schemas/features';
import fc from 'fast-check';

/** Differences are measured against the size of what the drives carry. */
const TOLERANCE = { absolute: 1e-9, relative: 1e-9 };

const lateness = fc.option(fc.integer({ min: 0, max: 400 }), { nil: undefined });
const present = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined));

const window = fc.oneof(
  fc
    .record({
      lengthMs: fc.integer({ min: 50, max: 900 }),
      hopMs: fc.integer({ min: 30, max: 1_200 }),
      latenessMs: lateness,
    })
    .map(present),
  fc.integer({ min: 50, max: 900 }).map((lengthMs) => ({ lengthMs, hopMs: lengthMs })),
  fc
    .record({
      gapMs: fc.integer({ min: 10, max: 400 }),
      lengthMsMax: fc.integer({ min: 60, max: 1_500 }),
      latenessMs: lateness,
    })
    .map(present),
);

const ageMsMax = fc.integer({ min: 1, max: 600 });
const fill = fc.option(
  fc.oneof(
    fc.record({ kind: fc.constant('hold'), ageMsMax }),
    fc.record({ kind: fc.constant('constant'), value: fc.integer({ min: -2, max: 2 }) }),
  ),
  { nil: undefined },
);
const rule = fc.record({
  samplesMin: fc.constantFrom(0, 0, 1, 1, 2, 4),
  fill,
  rateHz: fc.integer({ min: 1, max: 200 }),
});

const CATEGORIES = [-1, 0, 2].map((code) => ({ label: `code ${code}`, code }));
const unknown = fc.constantFrom('other', 'undefined');
const encoding = fc.oneof(
  fc.constant({ kind: 'clip', min: -10, max: 20 }),
  fc.record({ kind: fc.constant('log'), offset: fc.double({ min: 0, max: 60, noNaN: true }) }),
  fc.constant({ kind: 'standardise', mean: 3.7, std: 12.1 }),
  fc.constant({ kind: 'bucketize', edges: [-20, -0.5, 0.25, 8] }),
  fc.record({
    kind: fc.constant('one_hot'),
    categories: fc.constant(CATEGORIES),
    category: fc.constant('code 2'),
    unknown,
  }),
  fc.record({ kind: fc.constant('ordinal'), categories: fc.constant(CATEGORIES), unknown }),
);
const encode = fc.option(fc.array(encoding, { minLength: 1, maxLength: 3 }), { nil: undefined });
/** Transforms that choose or count samples: both engines give the same bits. */
const EXACT: ReadonlySet<string> = new Set(['min', 'max', 'last', 'count']);
/** Encodings without a jump. After any other one the last bit of a mean decides between two values that are far apart. */
const SMOOTH: ReadonlySet<string> = new Set(['clip', 'standardise']);

type Steps = readonly { readonly kind: string }[];

function encodable(transform: string, steps: Steps | undefined): Steps | undefined {
  const isExact = EXACT.has(transform) && (steps ?? []).slice(1).every(({ kind }) => kind !== 'log');
  return isExact || steps?.every(({ kind }) => SMOOTH.has(kind)) === true ? steps : undefined;
}

const otherwise = fc.constantFrom(undefined, 'missing', 'missing', 'missing', 'missing', 'missing', 0, -7.5);

const STORED = ['x', 'y', 'speed', 'norm', 'ratio'];
const SERIES = [...STORED, 'slip', 'total'];
const parameters = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      transform: fc.constantFrom(...TRANSFORMS, ...TIME_TRANSFORMS),
      input: fc.constantFrom(...SERIES),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ transform: fc.constant('missing_share'), input: fc.constantFrom('x', 'y', 'speed') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      transform: fc.constant('percentile'),
      input: fc.constantFrom(...SERIES),
      p: fc.constantFrom(0, 0.05, 0.5, 0.9, 1),
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ low: fc.double({ min: 0.2, max: 8, noNaN: true }), width: fc.double({ min: 0, max: 20, noNaN: true }) })
      .chain(({ low, width }) =>
        fc.record({
          transform: fc.constant('band_energy'),
          input: fc.constantFrom(...SERIES),
          lowHz: fc.constant(low),
          highHz: fc.constant(low + width),
          stepHz: fc.double({ min: 0.3, max: 3, noNaN: true }),
        }),
      ),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      transform: fc.constant('correlation'),
      input: fc.constantFrom(...STORED),
      with: fc.constantFrom(...STORED),
      ageMsMax,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      transform: fc.constant('lag'),
      input: fc.constantFrom(...STORED),
      with: fc.constantFrom(...STORED),
      ageMsMax,
      gridMs: fc.integer({ min: 5, max: 50 }),
      lagMsMax: fc.integer({ min: 50, max: 200 }),
    }),
  },
);
const feature = fc.record({ parameters, encode, otherwise });

/** A feature set over the channels of the random drives: 1 to 24 features. */
export const randomDefinition: fc.Arbitrary<FeatureSet> = fc
  .record({
    window,
    rules: fc.tuple(rule, rule, rule),
    ages: fc.tuple(ageMsMax, ageMsMax),
    derivedMin: fc.integer({ min: 0, max: 1 }),
    features: fc.array(feature, { minLength: 1, maxLength: 24 }),
  })
  .map(({ window: shape, rules, ages, derivedMin, features }) =>
    parseFeatureSet({
      kind: 'feature-set',
      name: 'random',
      version: 1,
      owner: 'features',
      validator: 'parity',
      date: '2026-11-21',
      entity: 'vehicle',
      window: shape,
      signals: [
        { name: 'x', path: 'Vehicle.Acceleration.Longitudinal', unit: 'm/s^2', ...present(rules[0]) },
        { name: 'y', path: 'Vehicle.Acceleration.Lateral', unit: 'm/s^2', ...present(rules[1]) },
        { name: 'speed', path: 'Vehicle.Speed', unit: 'km/h', ...present(rules[2]) },
      ],
      derived: [
        { name: 'norm', kind: 'norm', of: ['x', 'y'], samplesMin: derivedMin },
        { name: 'ratio', kind: 'ratio', of: ['y', 'x'], samplesMin: 0 },
        { name: 'slip', kind: 'difference', of: ['speed', 'x'], ageMsMax: ages[0], samplesMin: 0 },
        { name: 'total', kind: 'norm', of: ['x', 'speed', 'y'], ageMsMax: ages[1], samplesMin: 0 },
      ],
      features: features.map(({ parameters: named, encode: steps, otherwise: value }, index) => ({
        name: `feature_${index}`,
        ...named,
        ...present({ encode: encodable(named.transform, steps), otherwise: value }),
      })),
      tolerance: TOLERANCE,
      latencyBudgetMs: 10,
    }),
  );
