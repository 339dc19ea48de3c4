/** The evaluator over latest values: what the campaigns of the first kind ask for, and what survives a change of campaigns. */
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { parseCampaign } from '../campaign/campaign.ts';
import type { SignalChannel } from '../capture/channel.ts';
import type { SignalMessage } from '../capture/source-message.ts';
import { InferenceSchema, Role } from '../wire.ts';
import { type CompiledCampaign, compileCampaign } from './compile-campaign.ts';
import { makeTriggerEvaluator } from './trigger-evaluator.ts';

const ACCELERATION: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle.Acceleration',
  signals: [
    { path: 'Vehicle.Acceleration.Longitudinal', field: 'longitudinal', unit: 'm/s^2' },
    { path: 'Vehicle.Acceleration.Lateral', field: 'lateral', unit: 'm/s^2' },
  ],
};
const SPEED: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
};
const G = 9.80665;
const SECOND = 1_000_000_000n;

function campaign(change: object = {}): CompiledCampaign {
  return compileCampaign(
    parseCampaign({
      kind: 'campaign',
      id: 'hard',
      version: 1,
      description: '',
      owner: 'test',
      priority: 'safety',
      inputs: [
        { kind: 'signal', name: 'longitudinal', path: 'Vehicle.Acceleration.Longitudinal', unit: 'g' },
        { kind: 'signal', name: 'lateral', path: 'Vehicle.Acceleration.Lateral', unit: 'g' },
      ],
      condition: 'abs(longitudinal) >= 0.35 || abs(lateral) >= 0.35',
      preWindowMs: 10_000,
      postWindowMs: 5_000,
      ...change,
    }),
    {},
  );
}

function evaluator(...campaigns: readonly CompiledCampaign[]): ReturnType<typeof makeTriggerEvaluator> {
  const made = makeTriggerEvaluator();
  made.setCampaigns(campaigns);
  made.startSession();
  return made;
}

const message = (channel: SignalChannel, second: number, ...values: readonly number[]): SignalMessage => ({
  kind: 'signal',
  channel,
  sequence: second,
  logTimeNs: BigInt(second) * SECOND,
  publishTimeNs: BigInt(second) * SECOND,
  values: Float64Array.from(values),
});

describe('a campaign', () => {
  it('fires at its bound and not below, in its own unit, whichever sign', () => {
    const trigger = evaluator(campaign());
    expect(trigger.push(message(ACCELERATION, 1, 0.35 * G, 0))).toHaveLength(1);
    expect(trigger.push(message(ACCELERATION, 2, 0.3499 * G, 0))).toEqual([]);
    expect(trigger.push(message(ACCELERATION, 3, 0, -0.35 * G))).toMatchObject([{ timeNs: 3n * SECOND }]);
  });

  it('fires again for each message that fires, without cool-down', () => {
    const trigger = evaluator(campaign());
    const times = [1, 2, 3].flatMap((second) =>
      trigger.push(message(ACCELERATION, second, 5, 0)).map((firing) => firing.timeNs),
    );
    expect(times).toEqual([1n * SECOND, 2n * SECOND, 3n * SECOND]);
  });

  it('is quiet during its cool-down and counts what it suppressed', () => {
    const trigger = evaluator(campaign({ cooldownMs: 2_500 }));
    const fired = [1, 2, 3, 4, 5, 6].filter((second) => trigger.push(message(ACCELERATION, second, 5, 0)).length > 0);
    expect(fired).toEqual([1, 4]);
    expect(trigger.statistics().get('hard')).toMatchObject({ fired: 2, suppressedByCooldown: 4 });
  });

  it('does not fire while an input that it needs is missing, and counts that apart from failures', () => {
    const trigger = evaluator(campaign());
    expect(trigger.push(message(ACCELERATION, 1, 0, Number.NaN))).toEqual([]);
    expect(trigger.push(message(ACCELERATION, 2, 5, Number.NaN))).toHaveLength(1);
    expect(trigger.statistics().get('hard')).toMatchObject({ evaluations: 2, fired: 1, absent: 1, failed: 0 });
  });

  it('forgets a value when its source says that it has none', () => {
    const trigger = evaluator(campaign());
    trigger.push(message(ACCELERATION, 1, 5, 0));
    expect(trigger.push(message(ACCELERATION, 2, Number.NaN, 0))).toEqual([]);
  });

  it('uses the latest value of another channel and is not evaluated by messages that carry none of its inputs', () => {
    const mixed = campaign({
      inputs: [
        { kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'm/s' },
        { kind: 'signal', name: 'lateral', path: 'Vehicle.Acceleration.Lateral', unit: 'g' },
      ],
      condition: 'speed > 10.0 && lateral > 0.2',
    });
    const trigger = evaluator(mixed, campaign({ id: 'other' }));
    trigger.push(message(SPEED, 1, 72));
    expect(trigger.push(message(ACCELERATION, 2, 0, 0.3 * G)).map((firing) => firing.campaign.campaign.id)).toEqual([
      'hard',
    ]);
    expect(trigger.statistics().get('other')?.evaluations).toBe(1);
  });

  it('knows nothing of the session before', () => {
    const trigger = evaluator(campaign({ condition: 'longitudinal > 0.1 && lateral > 0.1' }));
    trigger.push(message(ACCELERATION, 1, Number.NaN, 5));
    trigger.startSession();
    expect(trigger.push(message(ACCELERATION, 2, 5, Number.NaN))).toEqual([]);
  });

  it('keeps cool-down and values when other campaigns come and go', () => {
    const kept = campaign({ cooldownMs: 60_000 });
    const trigger = evaluator(kept);
    expect(trigger.push(message(ACCELERATION, 1, 5, 0))).toHaveLength(1);
    trigger.setCampaigns([campaign({ cooldownMs: 60_000 }), campaign({ id: 'other' })]);
    expect(trigger.push(message(ACCELERATION, 2, 5, 0)).map((firing) => firing.campaign.campaign.id)).toEqual([
      'other',
    ]);
  });

  it('starts with what is known when it arrives in the middle of a session', () => {
    const trigger = evaluator();
    trigger.push(message(SPEED, 1, 72));
    trigger.setCampaigns([
      campaign({
        inputs: [
          { kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'm/s' },
          { kind: 'signal', name: 'lateral', path: 'Vehicle.Acceleration.Lateral', unit: 'g' },
        ],
        condition: 'speed > 19.0 && lateral > 0.2',
      }),
    ]);
    expect(trigger.push(message(ACCELERATION, 2, 0, 5))).toHaveLength(1);
  });

  it('reads the model of its role', () => {
    const model = campaign({
      inputs: [
        { kind: 'model', name: 'output', field: 'output', role: 'shadow' },
        { kind: 'model', name: 'distance', field: 'distance', role: 'shadow' },
      ],
      condition: 'output == "SNOW" && distance > 3.0',
    });
    const trigger = evaluator(model);
    const inference = (role: Role, output: string): ReturnType<typeof create<typeof InferenceSchema>> =>
      create(InferenceSchema, { role, output, distance: 4, windowEndNs: 9n });
    expect(trigger.pushInference(inference(Role.ACTIVE, 'SNOW'))).toEqual([]);
    expect(trigger.pushInference(inference(Role.SHADOW, 'ICE'))).toEqual([]);
    expect(trigger.pushInference(inference(Role.SHADOW, 'SNOW'))).toMatchObject([{ timeNs: 9n }]);
  });
});

describe('compiling a campaign', () => {
  it.each([
    ['CAMPAIGN_SYNTAX', { condition: 'abs(longitudinal' }],
    ['CAMPAIGN_TYPE', { condition: 'longitudinal' }],
    ['CAMPAIGN_TYPE', { condition: 'speed > 1.0' }],
    [
      'SIGNAL_UNKNOWN',
      {
        inputs: [{ kind: 'signal', name: 'longitudinal', path: 'Vehicle.Nowhere', unit: 'g' }],
        condition: 'longitudinal > 1.0',
      },
    ],
    [
      'UNIT_UNKNOWN',
      {
        inputs: [{ kind: 'signal', name: 'longitudinal', path: 'Vehicle.Speed', unit: 'g' }],
        condition: 'longitudinal > 1.0',
      },
    ],
  ])('refuses with %s', (code, change) => {
    expect(() => campaign(change)).toThrow(expect.objectContaining({ code }));
  });
});
