/** Guards and lazy windows must not show: a condition fires, counts and explains itself as the same condition does that has no guards. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCampaign } from '../campaign/campaign.ts';
import type { SignalChannel } from '../capture/channel.ts';
import { compileCampaign } from './compile-campaign.ts';
import { makeTriggerEvaluator, type TriggerEvaluator } from './trigger-evaluator.ts';

const NS_PER_MS = 1_000_000n;
const channel = (path: string, unit: string): SignalChannel => ({
  kind: 'signal',
  topic: `/vss/${path}`,
  signals: [{ path, field: 'value', unit }],
});
const SPEED = channel('Vehicle.Speed', 'km/h');
const ANGLE = channel('Vehicle.Chassis.SteeringWheel.Angle', 'degrees');

const atom = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(
        'speed',
        'abs(angle)',
        'angle',
        'mean',
        'abs(mean)',
        'n',
        'rate',
        'low',
        'spread',
        'median',
        'age',
      ),
      fc.constantFrom('<', '<=', '>', '>=', '==', '!='),
      fc.integer({ min: -3, max: 3 }),
    )
    .map(([left, op, right]) => `${left} ${op} ${right}.0`),
  fc
    .tuple(
      fc.integer({ min: -3, max: 3 }),
      fc.constantFrom('<', '<=', '>', '>='),
      fc.constantFrom('speed', 'angle', 'mean', 'low'),
    )
    .map(([left, op, right]) => `${left}.0 ${op} ${right}`),
  fc.constantFrom('placed', '!placed', 'over', '!over', 'under', 'market == "is"', 'market.startsWith("i")'),
);
const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3 },
    atom,
    fc
      .tuple(tie('condition'), fc.constantFrom('&&', '||'), tie('condition'))
      .map(([left, op, right]) => `(${left} ${op} ${right})`),
  ),
}));
const more = fc.constantFrom(
  {},
  { edge: 'rising', cooldownMs: 300 },
  { forMs: 60 },
  { edge: 'rising', hysteresis: { releaseCondition: 'speed < 0.0' } },
  { startsAt: '1970-01-01T00:00:00.400Z', expiresAt: '1970-01-01T00:00:01.500Z' },
);
const value = fc.oneof(fc.integer({ min: -4, max: 4 }), fc.constant(Number.NaN));
/** Mostly forwards, now and then back in time. */
const step = fc.record({
  stepMs: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 90 }) }, fc.integer({ min: -150, max: 0 })),
  source: fc.constantFrom('speed', 'angle', 'tick', 'explain'),
  value,
});
type Step = { readonly stepMs: number; readonly source: string; readonly value: number };

function evaluatorOf(source: string, change: object): TriggerEvaluator {
  const window = { kind: 'window', path: 'Vehicle.Speed', unit: 'km/h', windowMs: 120 } as const;
  const position = {
    latitudePath: 'Vehicle.CurrentLocation.Latitude',
    longitudePath: 'Vehicle.CurrentLocation.Longitude',
  };
  const inputs = [
    { kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' },
    { kind: 'signal', name: 'angle', path: 'Vehicle.Chassis.SteeringWheel.Angle', unit: 'degrees' },
    { ...window, name: 'mean', statistic: 'mean' },
    { ...window, name: 'n', statistic: 'count' },
    // Silent for longer than the traces are old at their start.
    { ...window, name: 'rate', statistic: 'rate', windowMs: 500 },
    { ...window, name: 'low', statistic: 'min' },
    { ...window, name: 'spread', statistic: 'std', samplesMin: 2 },
    { ...window, name: 'median', statistic: 'percentile', p: 50, windowMs: 250, rateHzMax: 1_000 },
    ...(source.includes('age') ? [{ kind: 'staleness', name: 'age', path: 'Vehicle.Speed' }] : []),
    { kind: 'geofence', name: 'placed', ...position, circle: { latitude: 0, longitude: 0, radiusM: 1_000 } },
    { kind: 'hysteresis', name: 'over', path: 'Vehicle.Speed', unit: 'km/h', set: 2, release: -1 },
    { kind: 'hysteresis', name: 'under', path: 'Vehicle.Speed', unit: 'km/h', set: -2, release: 0 },
    { kind: 'attribute', name: 'market', of: 'vehicle', attribute: 'market', type: 'string' },
  ];
  const document = {
    kind: 'campaign',
    id: 'guarded',
    version: 1,
    description: '',
    owner: 'test',
    priority: 'normal',
    inputs,
    condition: source,
    preWindowMs: 0,
    postWindowMs: 0,
    ...change,
  };
  const evaluator = makeTriggerEvaluator();
  evaluator.setCampaigns([compileCampaign(parseCampaign(document), { market: 'is' })]);
  evaluator.startSession();
  return evaluator;
}

function play(evaluator: TriggerEvaluator, steps: readonly Step[]): unknown {
  let timeMs = 200;
  const firedAt: bigint[] = [];
  const explained: unknown[] = [];
  for (const { stepMs, source, value: said } of steps) {
    timeMs += stepMs;
    const logTimeNs = BigInt(timeMs) * NS_PER_MS;
    const values = Float64Array.of(said);
    const header = { sequence: 0, logTimeNs, publishTimeNs: logTimeNs, values };
    if (source === 'tick') firedAt.push(...evaluator.tick(logTimeNs).map(({ timeNs }) => timeNs));
    else if (source === 'explain') explained.push({ ...evaluator.explain('guarded'), condition: '' });
    else
      firedAt.push(
        ...evaluator
          .push({ kind: 'signal', channel: source === 'speed' ? SPEED : ANGLE, ...header })
          .map(({ timeNs }) => timeNs),
      );
  }
  return { firedAt, explained, last: { ...evaluator.explain('guarded'), condition: '' } };
}

describe('a condition with guards', () => {
  it('fires, counts and explains itself as one without', () => {
    let firings = 0;
    let explanations = 0;
    fc.assert(
      fc.property(condition, more, fc.array(step, { minLength: 10, maxLength: 80 }), (source, change, steps) => {
        const guarded = play(evaluatorOf(source, change), steps) as { firedAt: unknown[]; explained: unknown[] };
        // Equal in meaning, and no guard looks behind a negation.
        expect(guarded, source).toEqual(play(evaluatorOf(`!(!(${source}))`, change), steps));
        firings += guarded.firedAt.length;
        explanations += guarded.explained.length;
      }),
      { numRuns: 300 },
    );
    expect(firings).toBeGreaterThan(300);
    expect(explanations).toBeGreaterThan(300);
  });
});
