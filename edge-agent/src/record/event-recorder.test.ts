import type { Campaign, SourceMessage } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryDisk } from '../adapters/memory-disk.ts';
import {
  at,
  canMessage,
  CAN,
  NS_PER_MS,
  openBed,
  SPEED,
  speedMessage,
  startLive,
  testCampaign,
  TestSpool,
} from './live-testbed.ts';
import { readRecorded, recordingsOf } from './read-recorded.ts';

/** `floorNs`: what was settled before the trigger stays as it is. */
type Firing = { readonly campaign: Campaign; readonly timeNs: bigint; readonly floorNs: bigint };

const campaigns = [
  testCampaign('all'),
  testCampaign('speed-only', { topics: [SPEED.topic], preWindowMs: 3_000, postWindowMs: 0 }),
  testCampaign('long', { preWindowMs: 200, postWindowMs: 4_000, eventMsMax: 3_000 }),
  testCampaign('short', { preWindowMs: 0, postWindowMs: 100, priority: 'safety' }),
];
const step = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      afterMs: fc.integer({ min: 0, max: 120 }),
      isCan: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('late' as const), byMs: fc.integer({ min: 1, max: 800 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('trigger' as const), index: fc.nat({ max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('campaigns' as const), mask: fc.nat({ max: 15 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('tick' as const), afterMs: fc.integer({ min: 1, max: 3_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const plain = ({ channel, sequence, logTimeNs }: SourceMessage): string => `${channel.topic} ${sequence} ${logTimeNs}`;
const within = (message: SourceMessage, startNs: bigint, endNs: bigint): boolean =>
  startNs <= message.logTimeNs && message.logTimeNs <= endNs;

/** Runs the steps and holds each recording against a plain list, at the moment in which it is settled. */
async function run(
  steps: readonly Step[],
  ringBytesMax: number,
): Promise<{ spool: TestSpool; firings: Firing[]; onTime: SourceMessage[]; lastNs: bigint }> {
  const { recorder, ring } = await openBed(
    memoryDisk(),
    { ringBytesMax, blockBytes: 400, blockAgeMs: 300 },
    { segmentBytes: 2_000 },
  );
  const spool = new TestSpool();
  const [log, onTime]: SourceMessage[][] = [[], []] as SourceMessage[][] as [SourceMessage[], SourceMessage[]];
  const firings: Firing[] = [];
  let checked = 0;
  const take = async (effects: Parameters<TestSpool['take']>[0]): Promise<void> => {
    await spool.take(effects);
    for (const { recording, messages } of spool.settled.slice(checked)) {
      const wanted = recording.campaignIds.some((id) => id !== 'speed-only') ? undefined : SPEED.topic;
      const expected = (log ?? []).filter(
        (each) =>
          within(each, recording.startNs, recording.endNs) && (wanted === undefined || each.channel.topic === wanted),
      );
      expect(messages.map(plain)).toEqual(expected.map(plain));
    }
    checked = spool.settled.length;
  };
  startLive(recorder);
  recorder.setCampaigns(campaigns);
  let [nowMs, sequence] = [0, 0];
  for (const each of steps) {
    sequence += 1;
    if (each.kind === 'push' || each.kind === 'late') {
      if (each.kind === 'push') nowMs += each.afterMs;
      const ms = each.kind === 'late' ? Math.max(0, nowMs - each.byMs) : nowMs;
      const message = each.kind === 'push' && each.isCan ? canMessage(ms, sequence) : speedMessage(ms, sequence);
      // What is due before the message is decided without it.
      if (each.kind === 'push') await take(recorder.tick(at(ms)));
      log?.push(message);
      if (each.kind === 'push') onTime?.push(message);
      await take(recorder.push(message));
    } else if (each.kind === 'trigger' && sequence > 1 && (log?.length ?? 0) > 0) {
      const campaign = campaigns[each.index] as Campaign;
      recorder.trigger(campaign, at(nowMs));
      const floorNs = spool.settled.reduce(
        (floor, { recording: { endNs } }) => (endNs >= floor ? endNs + 1n : floor),
        0n,
      );
      firings.push({ campaign, timeNs: at(nowMs), floorNs });
    } else if (each.kind === 'campaigns')
      recorder.setCampaigns(campaigns.filter((_, index) => (each.mask >> index) % 2 === 1));
    else if (each.kind === 'tick') {
      nowMs += each.afterMs;
      await take(recorder.tick(at(nowMs)));
    } else if (each.kind === 'flush') await ring.flush();
  }
  await take(recorder.endSession());
  expect(spool.entries.size).toBe(0);
  await ring.flush();
  expect(ring.openClaims()).toEqual([]);
  return { spool, firings, onTime: onTime ?? [], lastNs: at(nowMs) };
}

describe('a live session', () => {
  it.each([1_000_000, 6_000])(
    'puts every message of a claimed window into exactly one recording, whatever happens in which order (%i bytes of memory)',
    async (ringBytesMax) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 160 }), async (steps) => {
          const { spool, firings, onTime } = await run(steps, ringBytesMax);
          for (const { campaign, timeNs } of firings) {
            const holders = spool.settled.filter(({ recording }) =>
              recording.triggers.some((each) => each.campaignId === campaign.id && each.timeNs === timeNs),
            );
            expect(new Set(holders.map(({ recording }) => recording.id)).size).toBe(1);
          }
          const counts = new Map<string, number>();
          for (const { messages } of spool.settled)
            for (const message of messages) counts.set(plain(message), (counts.get(plain(message)) ?? 0) + 1);
          expect(Math.max(1, ...counts.values())).toBe(1);
          for (const { campaign, timeNs, floorNs } of firings) {
            const wantedNs = timeNs - BigInt(campaign.preWindowMs) * NS_PER_MS;
            const startNs = wantedNs < floorNs ? floorNs : wantedNs;
            const endNs = timeNs + BigInt(campaign.postWindowMs) * NS_PER_MS;
            const claimed = onTime.filter(
              (each) => within(each, startNs, endNs) && (campaign.topics?.includes(each.channel.topic) ?? true),
            );
            expect(claimed.map(plain).filter((each) => !counts.has(each))).toEqual([]);
          }
        }),
        { numRuns: 60 },
      );
    },
    120_000,
  );

  it('closes an event right after its post-window and settles it when no trigger can reach it', async () => {
    const { recorder } = await openBed(memoryDisk());
    recorder.setCampaigns([testCampaign('a')]);
    startLive(recorder);
    for (let ms = 0; ms <= 2_000; ms += 100) expect(recorder.push(speedMessage(ms, ms / 100))).toEqual([]);
    recorder.trigger(testCampaign('a'), at(2_000));
    expect(recorder.dueNs).toBe(at(2_500) + 1n);
    expect(recorder.tick(at(2_500))).toEqual([]);
    expect(recorder.explain().pending).toMatchObject([{ waitsFor: 'post-window', waitsUntilNs: at(2_500) + 1n }]);
    const [closed] = recorder.tick(at(2_501));
    expect(closed).toMatchObject({ kind: 'close', isSettled: false, recording: { messages: 11 } });
    expect(recorder.explain().pending).toMatchObject([{ waitsFor: 'settling' }]);
    expect(recorder.tick(at(3_500))).toEqual([]);
    expect(recorder.tick(at(3_501))).toMatchObject([{ kind: 'settle' }]);
    expect(recorder.explain().pending).toEqual([]);
  });

  it('replaces what it closed early when a later trigger extends it, and withdraws what an earlier event swallows', async () => {
    const { recorder } = await openBed(memoryDisk());
    const wide = testCampaign('wide', { preWindowMs: 9_000 });
    const narrow = testCampaign('narrow', { preWindowMs: 100, postWindowMs: 100 });
    recorder.setCampaigns([wide, narrow]);
    startLive(recorder);
    const spool = new TestSpool();
    for (let ms = 0; ms <= 12_000; ms += 100) {
      await spool.take(recorder.push(speedMessage(ms, ms / 100)));
      if (ms === 2_000 || ms === 4_000) recorder.trigger(narrow, at(ms));
      if (ms === 6_000) {
        expect(spool.entries.size).toBe(2);
        recorder.trigger(wide, at(ms));
      }
    }
    expect(spool.entries.size).toBe(1);
    expect(spool).toMatchObject({ withdrawn: 1, replaced: 1 });
    await spool.take(recorder.endSession());
    expect(spool.settled.map(({ recording }) => [recording.triggers.length, recording.messages])).toEqual([[3, 66]]);
  });
});

describe('a recording', () => {
  it('begins with what latched topics said before its start', async () => {
    const { recorder } = await openBed(memoryDisk());
    const latched = { ...CAN, isLatched: true } as typeof CAN;
    recorder.setCampaigns([testCampaign('a')]);
    recorder.startSession({ session: 's', attributes: {}, channels: [SPEED, latched], isReplayable: true });
    for (const ms of [0, 100]) recorder.push({ ...canMessage(ms, ms), channel: latched } as SourceMessage);
    for (let ms = 200; ms <= 5_000; ms += 100) recorder.push(speedMessage(ms, ms / 100));
    recorder.trigger(testCampaign('a'), at(5_000));
    const [recording] = recordingsOf(recorder.endSession());
    const [first] = recording === undefined ? [] : await readRecorded(recording);
    expect(first).toMatchObject({ sequence: 100, logTimeNs: at(4_000), publishTimeNs: at(100) });
    expect(recording?.metadata.context).toEqual([{ topic: CAN.topic, timeNs: String(at(100)) }]);
    expect(recording?.messages).toBe(12);
  });

  it('thins a topic out as far as its finest campaign allows, and says so', async () => {
    const thin = (id: string, rateHzMax: number): Campaign =>
      testCampaign(id, { decimation: [{ topic: SPEED.topic, rateHzMax }], preWindowMs: 10_000 });
    for (const [list, expected] of [
      [[thin('a', 1)], 10],
      [[thin('a', 1), thin('b', 5)], 50],
      [[thin('a', 1), testCampaign('c')], 100],
    ] as const) {
      const { recorder } = await openBed(memoryDisk());
      recorder.setCampaigns(list);
      recorder.startSession({ session: 's', attributes: {}, channels: [SPEED], isReplayable: true });
      for (let index = 0; index < 100; index += 1) recorder.push(speedMessage(index * 100, index));
      for (const campaign of list) recorder.trigger(campaign, at(9_900));
      const [recording] = recordingsOf(recorder.endSession());
      expect(recording?.messages).toBe(expected);
      expect(recording?.metadata.loss).toEqual({});
      expect(recording?.metadata.decimation?.[0]?.rateHzMax).toBe(expected === 100 ? undefined : expected / 10);
    }
  });

  it('carries what others know of its interval', async () => {
    const clock = { uncertaintyNs: '7', samples: [] };
    const gap = { topic: '/gps', fromNs: 1n, toNs: 2n };
    const { recorder } = await openBed(memoryDisk(), {
      facts: {
        clock: () => clock,
        quality: () => ({ quality: [{ topic: '/gps', duplicates: 3 }], gaps: [gap] }),
        redactions: () => [{ rule: 'r', kind: 'drop', topic: '/gps', messages: 4 }],
      },
    });
    startLive(recorder);
    recorder.push(speedMessage(0, 0));
    recorder.trigger(testCampaign('a'), at(0));
    const [recording] = recordingsOf(recorder.endSession());
    expect(recording?.metadata).toMatchObject({
      clock,
      quality: [{ duplicates: 3 }],
      redactions: [{ rule: 'r' }],
      gaps: [{ topic: '/gps', fromNs: '1', toNs: '2' }],
    });
  });
});
