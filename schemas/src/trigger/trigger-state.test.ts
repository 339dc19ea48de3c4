/** What stands around a condition: time, edges, hysteresis, schedules, silence, places, and what explains all of it. */
import fc from 'fast-check';
import { evenly } from '../fixtures/evenly.ts';
import { describe, expect, it } from 'vitest';
import { type Campaign, parseCampaign } from '../campaign/campaign.ts';
import type { OpaqueChannel, SignalChannel } from '../capture/channel.ts';
import type { SourceMessage } from '../capture/source-message.ts';
import { compileCampaign } from './compile-campaign.ts';
import { makeTriggerEvaluator, type TriggerEvaluator } from './trigger-evaluator.ts';

const NS_PER_MS = 1_000_000n;
const SPEED: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};
const ANGLE: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle.Chassis.SteeringWheel',
  signals: [{ path: 'Vehicle.Chassis.SteeringWheel.Angle', field: 'angle', unit: 'degrees' }],
};
const PLACE: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle.CurrentLocation',
  signals: [
    { path: 'Vehicle.CurrentLocation.Latitude', field: 'latitude', unit: 'degrees' },
    { path: 'Vehicle.CurrentLocation.Longitude', field: 'longitude', unit: 'degrees' },
  ],
};
const CAMERA: OpaqueChannel = { kind: 'opaque', topic: '/sensor/front/image', schemaName: 'image' };

const speedInput = { kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' } as const;

function campaign(change: object): Campaign {
  return parseCampaign({
    kind: 'campaign',
    id: 'fast',
    version: 1,
    description: '',
    owner: 'test',
    priority: 'normal',
    inputs: [speedInput],
    condition: 'speed > 50.0',
    preWindowMs: 0,
    postWindowMs: 0,
    ...change,
  });
}

function evaluatorOf(...campaigns: readonly Campaign[]): TriggerEvaluator {
  const evaluator = makeTriggerEvaluator();
  evaluator.setCampaigns(campaigns.map((each) => compileCampaign(each, {})));
  evaluator.startSession();
  return evaluator;
}

function message(channel: SignalChannel, timeMs: number, ...values: readonly number[]): SourceMessage {
  const logTimeNs = BigInt(timeMs) * NS_PER_MS;
  return {
    kind: 'signal',
    channel,
    sequence: 0,
    logTimeNs,
    publishTimeNs: logTimeNs,
    values: Float64Array.from(values),
  };
}
const speed = (timeMs: number, value: number): SourceMessage => message(SPEED, timeMs, value);
const image = (timeMs: number): SourceMessage => {
  const logTimeNs = BigInt(timeMs) * NS_PER_MS;
  return { kind: 'opaque', channel: CAMERA, sequence: 0, logTimeNs, publishTimeNs: logTimeNs, data: new Uint8Array(1) };
};

/** Times at which anything fires, ms. */
function fireTimes(
  evaluator: TriggerEvaluator,
  messages: readonly SourceMessage[],
  untilMs?: number,
): readonly number[] {
  const firings = messages.flatMap((each) => evaluator.push(each));
  if (untilMs !== undefined) firings.push(...evaluator.tick(BigInt(untilMs) * NS_PER_MS));
  return firings.map(({ timeNs }) => Number(timeNs / NS_PER_MS));
}

describe('a duration', () => {
  it('fires when the condition has held for so long, without a message at that moment', () => {
    const evaluator = evaluatorOf(campaign({ forMs: 250, edge: 'rising' }));
    expect(fireTimes(evaluator, [speed(1_010, 60)], 1_260)).toEqual([]);
    expect(evaluator.explain('fast')?.suppressedBy).toEqual([
      { by: 'duration', sinceNs: 1_010n * NS_PER_MS, untilNs: 1_260n * NS_PER_MS },
    ]);
    expect(fireTimes(evaluator, [], 1_261)).toEqual([1_260]);
  });

  it('begins anew when the condition did not hold or had no value in between', () => {
    for (const gap of [10, Number.NaN]) {
      const evaluator = evaluatorOf(campaign({ forMs: 250, edge: 'rising' }));
      expect(fireTimes(evaluator, [speed(0, 60), speed(200, gap), speed(210, 60)], 600)).toEqual([460]);
    }
  });

  it('is not over when the message of that very moment says otherwise', () => {
    const evaluator = evaluatorOf(campaign({ forMs: 250, edge: 'rising' }));
    expect(fireTimes(evaluator, [speed(0, 60), speed(250, 10)], 900)).toEqual([]);
  });

  it('lists each further sample at level', () => {
    const evaluator = evaluatorOf(campaign({ forMs: 250 }));
    expect(fireTimes(evaluator, [speed(0, 60), speed(100, 60), speed(300, 60), speed(310, 60)], 900)).toEqual([
      250, 300, 310,
    ]);
  });
});

describe('an edge and a hysteresis', () => {
  it('rising fires once until the condition has been false', () => {
    const evaluator = evaluatorOf(campaign({ edge: 'rising' }));
    expect(fireTimes(evaluator, [speed(0, 60), speed(1, 70), speed(2, 40), speed(3, 60)])).toEqual([0, 3]);
    expect(evaluator.explain('fast')?.suppressedBy).toEqual([{ by: 'edge' }]);
  });

  it('hysteresis fires again only after its release', () => {
    const change = { edge: 'rising', hysteresis: { releaseCondition: 'speed < 30.0' } };
    const evaluator = evaluatorOf(campaign(change));
    expect(fireTimes(evaluator, [speed(0, 60), speed(1, 40), speed(2, 60), speed(3, Number.NaN)])).toEqual([0]);
    expect(evaluator.explain('fast')?.suppressedBy).toEqual([{ by: 'hysteresis', releaseCondition: 'speed < 30.0' }]);
    expect(fireTimes(evaluator, [speed(4, 20), speed(5, 60)])).toEqual([5]);
  });

  it('a condition that only flickers does not latch before its duration is over', () => {
    const change = { edge: 'rising', forMs: 100, hysteresis: { releaseCondition: 'speed < 30.0' } };
    expect(fireTimes(evaluatorOf(campaign(change)), [speed(0, 60), speed(50, 40)], 900)).toEqual([]);
  });
});

describe('staleness', () => {
  const silent = campaign({
    inputs: [{ kind: 'staleness', name: 'age', path: 'Vehicle.Speed' }],
    condition: 'age >= 500.0',
    edge: 'rising',
  });

  it('fires while messages of other channels drive time, once per silence', () => {
    const others = Array.from({ length: 30 }, (_, index) => message(ANGLE, 1_000 + index * 50, 0));
    const messages = [speed(1_000, 1), ...others, speed(2_500, 1), message(ANGLE, 3_200, 0)];
    expect(fireTimes(evaluatorOf(silent), messages)).toEqual([1_500, 3_000]);
  });

  it('is the same whether or not somebody ticks in between', () => {
    const [quiet, ticked] = [evaluatorOf(silent), evaluatorOf(silent)];
    const sparse = fireTimes(quiet, [speed(1_003, 1), speed(4_711, 1)], 9_000);
    const dense = fireTimes(ticked, [speed(1_003, 1)]);
    const ticks = [1_200, 1_503, 1_504, 2_000, 4_710].flatMap((timeMs) => fireTimes(ticked, [], timeMs));
    expect([...dense, ...ticks, ...fireTimes(ticked, [speed(4_711, 1)], 9_000)]).toEqual(sparse);
    expect(sparse).toEqual([1_600, 5_300]);
  });

  it('counts from the start of the session for what never came, and a message without a value is none', () => {
    const messages = [message(ANGLE, 0, 0), ...[100, 200, 300, 400, 500].map((timeMs) => speed(timeMs, Number.NaN))];
    expect(fireTimes(evaluatorOf(silent), messages, 700)).toEqual([500]);
  });

  it('watches topics of any kind', () => {
    const watched = campaign({
      inputs: [{ kind: 'staleness', name: 'age', topic: CAMERA.topic }],
      condition: 'age >= 300.0',
    });
    expect(fireTimes(evaluatorOf(watched), [image(0), image(200), speed(400, 1), image(450)], 1_000)).toEqual([
      750 + 50,
    ]);
  });

  it('steps through a long silence in a bounded number of steps', () => {
    const evaluator = evaluatorOf(silent);
    expect(fireTimes(evaluator, [speed(0, 1)], 86_400_000)).toHaveLength(1);
    expect(evaluator.statistics().get('fast')?.evaluations).toBeLessThan(1_100);
  });
});

describe('windows', () => {
  it('a condition on what leaves a window is seen between samples', () => {
    const sparse = campaign({
      inputs: [{ kind: 'window', name: 'n', path: 'Vehicle.Speed', unit: 'km/h', windowMs: 1_000, statistic: 'count' }],
      condition: 'n < 2.0',
      edge: 'rising',
    });
    const messages = [speed(0, 1), speed(500, 1), speed(900, 1), speed(1_200, Number.NaN)];
    expect(fireTimes(evaluatorOf(sparse), messages, 3_000)).toEqual([0, 1_500]);
  });

  it('a rate that has something to say says it also when a late sample comes', () => {
    const rate = { kind: 'window', name: 'hz', path: 'Vehicle.Speed', unit: 'km/h', windowMs: 500, statistic: 'rate' };
    const evaluator = evaluatorOf(campaign({ inputs: [speedInput, rate], condition: 'speed > 50.0 && hz > 1.0' }));
    for (const timeMs of [0, 560, 490]) evaluator.push(speed(timeMs, 1));
    expect(evaluator.explain('fast')?.operands).toContainEqual(expect.objectContaining({ name: 'hz', value: 4 }));
  });

  it('a rate says nothing before the session is as old as its window', () => {
    const slow = campaign({
      inputs: [{ kind: 'window', name: 'hz', path: 'Vehicle.Speed', unit: 'km/h', windowMs: 1_000, statistic: 'rate' }],
      condition: 'hz < 4.0',
    });
    const messages = [0, 250, 500, 750, 1_000, 1_250].map((timeMs) => speed(timeMs, 1));
    expect(fireTimes(evaluatorOf(slow), messages, 1_500)).toEqual([]);
    expect(fireTimes(evaluatorOf(slow), messages, 2_000)).toEqual([1_500]);
  });

  it('converts into the unit of the input, negatives included', () => {
    const low = campaign({
      inputs: [{ kind: 'window', name: 'low', path: 'Vehicle.Speed', unit: 'm/s', windowMs: 1_000, statistic: 'max' }],
      condition: 'low < -9.9',
    });
    expect(fireTimes(evaluatorOf(low), [speed(0, -36), speed(1, -35), speed(1_000, -36), speed(1_001, -36)])).toEqual([
      0, 1_001,
    ]);
  });
});

describe('places, models and attributes', () => {
  it('a polygon across the 180th meridian and a circle know inside from outside', () => {
    const latitudePath = 'Vehicle.CurrentLocation.Latitude';
    const longitudePath = 'Vehicle.CurrentLocation.Longitude';
    const corners = [
      [-1, 179],
      [1, 179],
      [1, -179],
      [-1, -179],
    ].map(([latitude, longitude]) => ({ latitude, longitude }));
    const fences = [{ polygon: corners }, { circle: { latitude: 0, longitude: 180, radiusM: 50_000 } }];
    for (const fence of fences) {
      const inside = campaign({
        inputs: [{ kind: 'geofence', name: 'inside', latitudePath, longitudePath, ...fence }],
        condition: 'inside',
      });
      const positions = [
        [0, -179.9],
        [0, 179.9],
        [0.9, 178],
        [2, 180],
        [Number.NaN, 180],
        [0, 0],
      ] as const;
      const messages = positions.map(([lat, lon], index) => message(PLACE, index, lat, lon));
      expect(fireTimes(evaluatorOf(inside), messages)).toEqual([0, 1]);
    }
  });

  it('a hysteresis is set at one threshold, released at the other, and stays as it was between them', () => {
    const over = { kind: 'hysteresis', name: 'over', path: 'Vehicle.Speed', unit: 'm/s', set: 20, release: 10 };
    const values = [50, 60, 72, 50, 36.5, 36, 50, 72, Number.NaN, 50, 73];
    const messages = values.map((value, index) => speed(index, value));
    expect(fireTimes(evaluatorOf(campaign({ inputs: [over], condition: 'over' })), messages)).toEqual([2, 3, 4, 7, 10]);
    const under = { ...over, name: 'under', set: 10, release: 20 };
    const falling = evaluatorOf(campaign({ inputs: [under], condition: 'under' }));
    expect(fireTimes(falling, messages)).toEqual([5, 6]);
    expect(falling.explain('fast')?.operands).toMatchObject([{ name: 'under', kind: 'hysteresis', value: false }]);
    const quiet = evaluatorOf(campaign({ inputs: [over], condition: '!over' }));
    expect(fireTimes(quiet, messages)).toEqual([0, 1, 5, 6, 9]);
  });

  it('a hysteresis stays between its thresholds whatever noise does there', () => {
    const over = { kind: 'hysteresis', name: 'over', path: 'Vehicle.Speed', unit: 'km/h', set: 80, release: 60 };
    fc.assert(
      fc.property(fc.boolean(), fc.array(evenly(60.001, 79.999), { maxLength: 40 }), (isSet, noise) => {
        const evaluator = evaluatorOf(campaign({ inputs: [over], condition: isSet ? '!over' : 'over' }));
        const messages = [isSet ? 80 : 60, ...noise].map((value, index) => speed(index, value));
        expect(fireTimes(evaluator, messages)).toEqual([]);
      }),
    );
  });

  it('a disagreement is of one window, and absent until both models have answered', () => {
    const differ = campaign({ inputs: [{ kind: 'disagreement', name: 'differ' }], condition: 'differ' });
    const evaluator = evaluatorOf(differ);
    const infer = (role: number, output: string, timeMs: number): number =>
      evaluator.pushInference({ role, output, confidence: 1, distance: 0, windowEndNs: BigInt(timeMs) * NS_PER_MS })
        .length;
    expect([
      infer(1, 'SNOW', 10),
      infer(2, 'ICE', 20),
      infer(1, 'ICE', 20),
      infer(1, 'SNOW', 30),
      infer(2, 'ICE', 30),
    ]).toEqual([0, 0, 0, 0, 1]);
  });

  it('reads attributes of the campaign and of the vehicle, and is absent where the vehicle has none', () => {
    const inputs = [
      speedInput,
      { kind: 'attribute', name: 'limit', of: 'campaign', attribute: 'limit', type: 'number' },
      { kind: 'attribute', name: 'market', of: 'vehicle', attribute: 'market', type: 'string' },
    ];
    const local = campaign({ inputs, attributes: { limit: 30 }, condition: 'speed > limit && market == "is"' });
    for (const [vehicle, fired] of [
      [{ market: 'is' }, 1],
      [{ market: 'no' }, 0],
      [{}, 0],
    ] as const) {
      const evaluator = makeTriggerEvaluator();
      evaluator.setCampaigns([compileCampaign(local, vehicle)]);
      expect(evaluator.push(speed(0, 31))).toHaveLength(fired);
    }
    expect(() => compileCampaign(local, { market: 7 })).toThrow(expect.objectContaining({ code: 'CAMPAIGN_TYPE' }));
  });
});

describe('a schedule and a hold', () => {
  const schedule = { startsAt: '1970-01-01T00:00:01.000Z', expiresAt: '1970-01-01T00:00:02.000Z' };

  it('is quiet before its start and from its end, on session time', () => {
    const evaluator = evaluatorOf(campaign(schedule));
    expect(evaluator.push(speed(999, 60))).toEqual([]);
    expect(evaluator.explain('fast')?.suppressedBy).toEqual([{ by: 'not-started', untilNs: 1_000n * NS_PER_MS }]);
    expect(fireTimes(evaluator, [speed(1_000, 60), speed(1_999, 60), speed(2_000, 60)])).toEqual([1_000, 1_999]);
    expect(evaluator.explain('fast')?.suppressedBy).toEqual([{ by: 'expired', atNs: 2_000n * NS_PER_MS }]);
  });

  it('a campaign that is suspended and taken back keeps its cool-down', () => {
    const evaluator = evaluatorOf(campaign({ cooldownMs: 1_000 }));
    const push = (change: object): void =>
      evaluator.setCampaigns([compileCampaign(campaign({ cooldownMs: 1_000, ...change }), {})]);
    expect(fireTimes(evaluator, [speed(0, 60)])).toEqual([0]);
    push({ suspended: true });
    expect(fireTimes(evaluator, [speed(1_500, 60)])).toEqual([]);
    expect(evaluator.explain('fast')?.suppressedBy).toMatchObject([{ by: 'suspended' }]);
    push({});
    expect(fireTimes(evaluator, [speed(1_600, 60), speed(1_700, 60)])).toEqual([1_600]);
    push({ suspended: true });
    push({});
    expect(fireTimes(evaluator, [speed(2_599, 60), speed(2_600, 60)])).toEqual([2_600]);
  });

  it('a campaign over budget is held by itself and says why', () => {
    const evaluator = evaluatorOf(campaign({}), campaign({ id: 'other' }));
    evaluator.hold('fast', { by: 'budget', reason: '3 recordings in an hour, the budget is 3' });
    expect(evaluator.push(speed(0, 60)).map((firing) => firing.campaign.campaign.id)).toEqual(['other']);
    expect(evaluator.explain('fast')).toMatchObject({
      lastEvaluation: { timeNs: 0n, outcome: 'true' },
      suppressedBy: [{ by: 'budget' }],
      statistics: { suppressedByBudget: 1, fired: 0 },
    });
  });
});

describe('an explanation', () => {
  it('names the last evaluation, operands with units, what is absent and what a window holds', () => {
    const inputs = [
      speedInput,
      { kind: 'window', name: 'mean', path: 'Vehicle.Speed', unit: 'm/s', windowMs: 1_000, statistic: 'mean' },
      { kind: 'signal', name: 'angle', path: 'Vehicle.Chassis.SteeringWheel.Angle', unit: 'rad' },
    ];
    const evaluator = evaluatorOf(campaign({ inputs, condition: 'speed > 50.0 && mean > 5.0 && angle > 0.0' }));
    fireTimes(evaluator, [speed(0, 36), speed(500, 72)]);
    expect(evaluator.explain('fast')).toMatchObject({
      lastEvaluation: { timeNs: 500n * NS_PER_MS, outcome: 'absent' },
      operands: [
        { name: 'speed', value: 72, unit: 'km/h' },
        { name: 'mean', value: 15, unit: 'm/s', window: { samples: 2, fromNs: 0n, toNs: 500n * NS_PER_MS } },
        { name: 'angle', value: null, unit: 'rad' },
      ],
      absent: ['angle'],
    });
    expect(evaluator.explain('nobody')).toBeUndefined();
  });
});

describe('a push of other campaigns', () => {
  const anyCampaign = fc
    .record({
      id: fc.constantFrom('a', 'b', 'c'),
      threshold: fc.integer({ min: 10, max: 90 }),
      windowMs: fc.constantFrom(200, 1_000),
      statistic: fc.constantFrom('mean', 'max', 'count'),
      more: fc.constantFrom({}, { cooldownMs: 300 }, { edge: 'rising' }, { forMs: 150 }, { suspended: true }),
    })
    .map(({ id, threshold, windowMs, statistic, more }) => {
      const window = { kind: 'window', name: 'w', path: 'Vehicle.Speed', unit: 'km/h', windowMs, statistic };
      return campaign({ id, inputs: [speedInput, window], condition: `speed > ${threshold}.0 && w > 1.0`, ...more });
    });
  const stays = fc.constantFrom(
    campaign({ id: 'stays', cooldownMs: 400 }),
    campaign({ id: 'stays', edge: 'rising', forMs: 120, hysteresis: { releaseCondition: 'speed < 30.0' } }),
    campaign({
      id: 'stays',
      inputs: [
        { kind: 'window', name: 'w', path: 'Vehicle.Speed', unit: 'km/h', windowMs: 1_000, statistic: 'mean' },
        { kind: 'staleness', name: 'age', path: 'Vehicle.Speed' },
      ],
      condition: 'w > 45.0 || age > 150.0',
    }),
  );
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ stepMs: fc.integer({ min: 0, max: 250 }), value: fc.integer({ min: 0, max: 100 }) }),
    },
    { weight: 1, arbitrary: fc.uniqueArray(anyCampaign, { selector: ({ id }) => id, maxLength: 3 }) },
  );

  it('does not change when a campaign that stays fires', () => {
    let fired = 0;
    fc.assert(
      fc.property(stays, fc.array(step, { minLength: 10, maxLength: 60 }), fc.boolean(), (staying, steps, isFirst) => {
        const run = (isPushing: boolean): readonly number[] => {
          const evaluator = evaluatorOf(staying);
          let timeMs = 0;
          return steps.flatMap((each) => {
            if (Array.isArray(each)) {
              const set = isFirst ? [staying, ...each] : [...each, staying];
              if (isPushing) evaluator.setCampaigns(set.map((one) => compileCampaign(one, {})));
              return [];
            }
            const { stepMs, value } = each as { stepMs: number; value: number };
            timeMs += stepMs;
            return evaluator
              .push(speed(timeMs, value))
              .filter((firing) => firing.campaign.campaign.id === 'stays')
              .map((firing) => Number(firing.timeNs));
          });
        };
        const alone = run(false);
        fired += alone.length;
        expect(run(true)).toEqual(alone);
      }),
      { numRuns: 150 },
    );
    expect(fired).toBeGreaterThan(100);
  });
});
