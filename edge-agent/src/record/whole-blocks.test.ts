import type { SourceMessage } from '@fleetloop/schemas';
import { readRecording, scanRecording } from '@fleetloop/schemas/recording';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryDisk } from '../adapters/memory-disk.ts';
import { EventRecorder } from './event-recorder.ts';
import { at, CAN, canMessage, FIRST_NS, openBed, SPEED, speedMessage, testCampaign } from './live-testbed.ts';
import { ALL_TOPICS } from './topic-plan.ts';
import { readRecorded, recordingBytes, recordingsOf } from './read-recorded.ts';
import type { ClosedRecording, RecorderEffect } from './recorder-effects.ts';
import { SessionRing } from './session-ring.ts';

const BLOCK_BYTES = 20_000;
const END_MS = 8_000;
const STEP_MS = 10;
const NOISE = Uint8Array.from({ length: 4_000 }, (_, index) => (index * 2_654_435_761) >>> 24);

type Case = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly topics?: readonly string[];
  readonly rateHzMax?: number;
  readonly isReplayable: boolean;
  readonly isNoise: boolean;
};

/** Latched once, long before; then two topics, one of them with payloads that shrink or do not. */
function messageAt(ms: number, isNoise: boolean): SourceMessage {
  const index = ms / STEP_MS;
  if (index % 2 === 0) return speedMessage(ms, index);
  const message = canMessage(ms, index, 600);
  return isNoise ? ({ ...message, data: NOISE.subarray(index, index + 900) } as SourceMessage) : message;
}

async function record(chosen: Case): Promise<{ recording: ClosedRecording; pushed: SourceMessage[] }> {
  const { fromMs, toMs, topics, rateHzMax, isReplayable, isNoise } = chosen;
  const { recorder, ring } = await openBed(memoryDisk(), { blockBytes: BLOCK_BYTES });
  const campaign = testCampaign('a', {
    preWindowMs: toMs - fromMs,
    postWindowMs: 0,
    ...(topics === undefined ? {} : { topics }),
    ...(rateHzMax === undefined ? {} : { decimation: [{ topic: SPEED.topic, rateHzMax }] }),
  });
  recorder.setCampaigns([campaign]);
  const latched = { ...CAN, topic: '/calibration', isLatched: true } as typeof CAN;
  recorder.startSession({ session: 's', attributes: {}, channels: [SPEED, CAN, latched], isReplayable });
  recorder.push({ ...canMessage(0, 77), channel: latched } as SourceMessage);
  const pushed: SourceMessage[] = [];
  const effects: RecorderEffect[] = [];
  for (let ms = STEP_MS; ms <= END_MS; ms += STEP_MS) {
    const message = messageAt(ms, isNoise);
    pushed.push(message);
    effects.push(...recorder.push(message));
    if (ms === toMs) recorder.trigger(campaign, at(ms));
    if (ms % 1_000 === 0) await ring.flush();
  }
  const [recording] = recordingsOf([...effects, ...recorder.endSession()]);
  if (recording === undefined) throw new Error('no recording');
  return { recording, pushed };
}

const plain = (message: SourceMessage): unknown[] => [
  message.channel.topic,
  message.sequence,
  message.logTimeNs,
  message.publishTimeNs,
  message.kind === 'signal' ? Array.from(message.values) : Buffer.from(message.data).toString('base64'),
];

const ms = fc.integer({ min: 1, max: END_MS / STEP_MS }).map((index) => index * STEP_MS);
const windows: fc.Arbitrary<Case> = fc
  .record({
    first: ms,
    second: ms,
    topics: fc.constantFrom(undefined, [SPEED.topic], [CAN.topic, SPEED.topic]),
    rateHzMax: fc.constantFrom(undefined, 7),
    isReplayable: fc.boolean(),
    isNoise: fc.boolean(),
  })
  .map(({ first, second, topics, rateHzMax, ...rest }) => ({
    fromMs: Math.min(first, second),
    toMs: Math.max(first, second),
    ...(topics === undefined ? {} : { topics }),
    ...(rateHzMax === undefined ? {} : { rateHzMax }),
    ...rest,
  }));

describe('a recording of blocks', () => {
  it('holds exactly its window, wherever that cuts them, with filters, decimation and latched context', async () => {
    await fc.assert(
      fc.asyncProperty(windows, async (chosen) => {
        const { recording, pushed } = await record(chosen);
        let slot = Number.NEGATIVE_INFINITY;
        const expected = pushed.filter(({ channel: { topic }, logTimeNs }) => {
          if (logTimeNs < at(chosen.fromMs) || logTimeNs > at(chosen.toMs)) return false;
          if (chosen.topics?.includes(topic) === false) return false;
          if (topic !== SPEED.topic || chosen.rateHzMax === undefined) return true;
          const of = Math.floor(Number(logTimeNs - FIRST_NS) / (1e9 / chosen.rateHzMax));
          if (of <= slot) return false;
          slot = of;
          return true;
        });
        const messages = await readRecorded(recording);
        const isLatchedWanted = chosen.topics === undefined;
        const [context] = isLatchedWanted ? messages : [];
        if (isLatchedWanted) expect(context).toMatchObject({ sequence: 77, logTimeNs: at(chosen.fromMs) });
        expect(messages.slice(isLatchedWanted ? 1 : 0).map(plain)).toEqual(expected.map(plain));
        const bytes = await recordingBytes(recording);
        expect((await scanRecording([bytes])).messages).toBe(recording.messages);
        expect(await recordingBytes(recording)).toEqual(bytes);
        if (!chosen.isReplayable) return;
        const again = await record(chosen);
        expect(await recordingBytes(again.recording)).toEqual(bytes);
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  it('reads the same from blocks that left memory for the disk as from those that are in memory', async () => {
    const files = await Promise.all(
      [1_000_000, 60_000].map(async (ringBytesMax) => {
        const { recorder, ring } = await openBed(memoryDisk(), { blockBytes: BLOCK_BYTES, ringBytesMax });
        const campaign = testCampaign('a', { preWindowMs: 5_000, postWindowMs: 0 });
        recorder.setCampaigns([campaign]);
        recorder.startSession({ session: 's', attributes: {}, channels: [SPEED, CAN], isReplayable: false });
        for (let time = STEP_MS; time <= END_MS; time += STEP_MS) {
          recorder.push(messageAt(time, true));
          if (time % 200 === 0) await ring.flush();
        }
        recorder.trigger(campaign, at(END_MS));
        await ring.flush();
        const [recording] = recordingsOf(recorder.endSession());
        if (recording === undefined) throw new Error('no recording');
        return recordingBytes(recording);
      }),
    );
    expect(files[0]).toEqual(files[1]);
  });

  it('names its priority, so that a vehicle that lost its index still knows what matters', async () => {
    const recorder = new EventRecorder({
      vehicle: { id: 'v', hardwareRevision: 'A' },
      software: { name: 's', version: '1' },
      ringBytesMax: 1_000_000,
    });
    const campaigns = [testCampaign('a', { priority: 'bulk' }), testCampaign('b', { priority: 'safety' })];
    recorder.setCampaigns(campaigns);
    recorder.startSession({ session: 's', attributes: {}, channels: [SPEED], isReplayable: true });
    recorder.push(speedMessage(0, 0));
    for (const campaign of campaigns) recorder.trigger(campaign, at(0));
    const [recording] = recordingsOf(recorder.endSession());
    if (recording === undefined) throw new Error('no recording');
    expect(recording).toMatchObject({ priority: 'safety', metadata: { event: { priority: 'safety' } } });
    const found: string[] = [];
    for await (const item of readRecording([await recordingBytes(recording)]))
      if (item.kind === 'metadata' && item.record.name === 'fleet.event')
        found.push(item.record.metadata.get('priority') ?? '');
    expect(found).toEqual(['safety']);
  });
});

describe('a selection that was begun ahead', () => {
  it('is what one made in one go would be, whatever is pushed, moved and freed meanwhile', () => {
    const push = fc.record({ atMs: fc.nat(2_000), isCan: fc.boolean() });
    const look = fc.record({ startMs: fc.nat(500), endMs: fc.nat(2_500) });
    const free = fc.record({ freeMs: fc.nat(600) });
    const step = fc.oneof({ weight: 12, arbitrary: push }, { weight: 4, arbitrary: look }, free);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(500), fc.nat(2_000), (steps, startMs, lengthMs) => {
        const [ahead, plainRing] = [0, 1].map(
          () => new SessionRing(FIRST_NS, { blockBytes: 400, blockAgeNs: Number.POSITIVE_INFINITY }),
        );
        if (ahead === undefined || plainRing === undefined) throw new Error('no rings');
        const last = { start: startMs * 1e6, end: (startMs + lengthMs) * 1e6 };
        for (const [index, each] of steps.entries()) {
          if ('freeMs' in each) for (const ring of [ahead, plainRing]) ring.trim(each.freeMs * 1e6, each.freeMs * 1e6);
          else if ('startMs' in each) {
            // The end of an event moves away, and nearer when a long one is cut; other events come and go.
            const own = { span: { start: last.start, end: each.endMs * 1e6 }, plan: ALL_TOPICS };
            const other = { span: { start: each.startMs * 1e6, end: each.endMs * 1e6 }, plan: ALL_TOPICS };
            ahead.selectAhead(index % 3 === 0 ? [own, other] : [own]);
          } else {
            const message = each.isCan ? canMessage(each.atMs, index) : speedMessage(each.atMs, index);
            for (const ring of [ahead, plainRing]) ring.push(message);
          }
        }
        const [found, expected] = [ahead, plainRing].map((ring) => {
          const { pieces, ...selection } = ring.select(last, ALL_TOPICS);
          const topics = [...selection.topics].map(([topic, times]) => [topic, times.lost, ...times.ascending()]);
          return { ...selection, topics, pieces: pieces.map(({ runs, isWhole }) => ({ runs, isWhole })) };
        });
        expect(found).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});
