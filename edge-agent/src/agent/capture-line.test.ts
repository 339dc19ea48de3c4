import { create, fromBinary } from '@bufbuild/protobuf';
import type { Campaign, SignalChannel, SignalMessage } from '@fleetloop/schemas';
import { InferenceSchema, Role } from '@fleetloop/schemas/wire';
import { describe, expect, it } from 'vitest';
import type { InferenceResult } from '../ports.ts';
import { testCampaign } from '../record/live-testbed.ts';
import { readRecorded, recordingsOf } from '../record/read-recorded.ts';
import { RedactionRules } from '../record/redaction-rules.ts';
import { Redactor } from '../record/redactor.ts';
import type { ClosedRecording } from '../record/recorder-effects.ts';
import { CaptureLine } from './capture-line.ts';

const SECOND = 1_000_000_000n;
const CHANNEL: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [{ path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' }],
  rateHz: 1,
};

const campaign = (id: string, change: object): Campaign =>
  testCampaign(id, { preWindowMs: 2_000, postWindowMs: 1_000, ...change });
const onSpeed = (id: string, change: object = {}) =>
  campaign(id, {
    inputs: [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' }],
    condition: 'speed > 100.0',
    ...change,
  });
const onModel = campaign('odd', {
  inputs: [{ kind: 'model', name: 'distance', field: 'distance', role: 'active' }],
  condition: 'distance > 3.0',
  brief: 'br-1',
});

function message(second: number, speed: number, sequence = second): SignalMessage {
  const timeNs = BigInt(second) * SECOND;
  return {
    kind: 'signal',
    channel: CHANNEL,
    sequence,
    logTimeNs: timeNs,
    publishTimeNs: timeNs,
    values: Float64Array.of(speed),
  };
}
function result(second: number, distance: number): InferenceResult {
  const inference = create(InferenceSchema, {
    sequence: BigInt(second),
    windowEndNs: BigInt(second) * SECOND,
    role: Role.ACTIVE,
    output: 'SNOW',
    distance,
  });
  return { inference, bundle: 'sha256:x', model: 'terrain', variant: 'fp32', directorCounter: 1 };
}
function line(ringBytesMax = 10_000_000, redactor?: Redactor): CaptureLine {
  const made = new CaptureLine({
    vehicle: { id: 'v1', hardwareRevision: 'A' },
    software: { name: 's', version: '1' },
    ringBytesMax,
    ...(redactor === undefined ? {} : { redactor }),
  });
  made.startSession({ session: 'drive', attributes: {}, channels: [CHANNEL], isReplayable: true });
  return made;
}
const summary = async (event: ClosedRecording): Promise<object> => ({
  campaigns: event.campaignIds,
  from: Number(event.startNs / SECOND),
  to: Number(event.endNs / SECOND),
  topics: (await readRecorded(event)).map((each) => each.channel.topic),
});

describe('the way of a message', () => {
  it('records what the model said beside what it saw, triggered by the model', async () => {
    const capture = line();
    capture.campaigns.apply([onModel]);
    const events = [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((second) => [
      ...(second === 5 ? capture.pushInference(result(5, 4)) : []),
      ...capture.push(message(second, 10)),
    ]);
    const [event] = recordingsOf([...events, ...capture.recorder.endSession()]);
    expect(event && (await summary(event))).toEqual({
      campaigns: ['odd'],
      from: 3,
      to: 6,
      topics: ['/vss/Vehicle', '/vss/Vehicle', '/model/terrain/output', '/vss/Vehicle', '/vss/Vehicle'],
    });
    expect(event?.metadata.brief).toBe('br-1');
    const said = event && (await readRecorded(event)).find((each) => each.kind === 'opaque');
    expect(said?.kind === 'opaque' && fromBinary(InferenceSchema, said.data)).toMatchObject({
      output: 'SNOW',
      distance: 4,
    });
  });

  it('does not record what the model said where a rule keeps it in, and is triggered by it all the same', async () => {
    for (const rule of [
      { kind: 'drop', name: 'model', topics: ['/model/*'] },
      { kind: 'blank', name: 'model', topics: ['/model/*'], regions: [{ x: 0, y: 0, width: 1, height: 1 }] },
    ]) {
      const blanker = { blank: async (): Promise<never> => Promise.reject(new Error('no image')) };
      const rules = RedactionRules.parse([rule]);
      const capture = line(10_000_000, new Redactor({ rules, hashKey: undefined, blanker, onFailure: () => {} }));
      capture.campaigns.apply([onModel]);
      for (const second of [1, 2, 3, 4]) capture.push(message(second, 10));
      const [event] = recordingsOf([...capture.pushInference(result(5, 4)), ...capture.recorder.endSession()]);
      expect(event && (await summary(event))).toMatchObject({
        campaigns: ['odd'],
        topics: ['/vss/Vehicle', '/vss/Vehicle'],
      });
    }
  });

  it('does not drop an event that waits for its post-window when its campaign is taken away', async () => {
    const capture = line();
    capture.campaigns.apply([onSpeed('fast')]);
    for (const second of [1, 2, 3]) capture.push(message(second, second === 3 ? 120 : 50));
    capture.campaigns.apply([onSpeed('other', { condition: 'speed > 900.0' })]);
    expect(capture.campaigns.report()).toEqual([
      { id: 'other', version: 1, state: 'active' },
      { id: 'fast', version: 1, state: 'draining' },
    ]);
    const events = [4, 5, 6, 7, 8, 9].flatMap((second) => capture.push(message(second, 50)));
    expect(await Promise.all(recordingsOf(events).map(summary))).toEqual([
      { campaigns: ['fast'], from: 1, to: 4, topics: ['/vss/Vehicle', '/vss/Vehicle', '/vss/Vehicle', '/vss/Vehicle'] },
    ]);
    expect(capture.campaigns.report()).toEqual([
      { id: 'other', version: 1, state: 'active' },
      { id: 'fast', version: 1, state: 'done' },
    ]);
  });

  it('keeps only the topics that a campaign wants, and all when one of a merged event wants all', () => {
    const capture = line();
    capture.campaigns.apply([onSpeed('none', { topics: ['/vss/Nothing'] })]);
    for (const second of [1, 2]) capture.push(message(second, 120));
    expect(recordingsOf(capture.recorder.endSession()).map((event) => event.messages)).toEqual([0]);
    capture.startSession({ session: 'second', attributes: {}, channels: [CHANNEL], isReplayable: true });
    capture.campaigns.apply([onSpeed('none', { topics: ['/vss/Nothing'] }), onSpeed('all')]);
    for (const second of [1, 2]) capture.push(message(second, 120));
    expect(recordingsOf(capture.recorder.endSession()).map((event) => event.messages)).toEqual([2]);
  });

  it('gives a recording the highest priority of the campaigns that claim it, and says what was lost and silent', () => {
    const capture = line();
    capture.campaigns.apply([
      onSpeed('a', { priority: 'bulk', preWindowMs: 9_000 }),
      onSpeed('b', { priority: 'safety' }),
    ]);
    for (const [second, sequence] of [
      [1, 0],
      [2, 1],
      [7, 6],
      [8, 7],
    ] as const)
      capture.push(message(second, second === 8 ? 120 : 1, sequence));
    const [event] = recordingsOf(capture.recorder.endSession());
    expect(event?.priority).toBe('safety');
    expect(event?.metadata.loss).toEqual({ '/vss/Vehicle': 4 });
    expect(event?.metadata.gaps).toEqual([
      { topic: '/vss/Vehicle', fromNs: String(2n * SECOND), toNs: String(7n * SECOND) },
    ]);
    expect(event?.metadata.clock.uncertaintyNs).toBe(String(SECOND));
  });

  it('cuts a long event in parts when memory is short, without losing a message', async () => {
    const capture = line(300_000);
    capture.campaigns.apply([onSpeed('long', { postWindowMs: 120_000 })]);
    const events: ClosedRecording[] = [];
    for (let index = 0; index < 20_000; index += 1) {
      const each = message(1, index === 0 ? 120 : 1, index);
      events.push(...recordingsOf(capture.push({ ...each, logTimeNs: SECOND + BigInt(index) * 1_000_000n })));
    }
    events.push(...recordingsOf(capture.recorder.endSession()));
    expect(events.length).toBeGreaterThan(1);
    const sequences: number[] = [];
    for (const event of events) sequences.push(...(await readRecorded(event)).map((each) => each.sequence));
    expect(sequences).toEqual(Array.from({ length: 20_000 }, (_, index) => index));
    expect(events.slice(0, -1).every((event) => event.metadata.event?.cut === 'memory')).toBe(true);
    expect(events.slice(1).every((event) => event.metadata.event?.continues === events[0]?.id)).toBe(true);
    expect(capture.recorder.droppedByMemory).toBe(0);
  });
});
