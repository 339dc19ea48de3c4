import type { PullRequest, SourceMessage } from '@fleetloop/schemas';
import fc from 'fast-check';
import { evenly } from '@fleetloop/schemas/testing';
import { describe, expect, it } from 'vitest';
import { type MemoryDisk, memoryDisk } from '../adapters/memory-disk.ts';
import { ChannelMonitor } from '../capture/channel-monitor.ts';
import { SessionClock } from '../capture/clock-session.ts';
import type { IntervalFacts } from './event-metadata.ts';
import type { EventRecorder } from './event-recorder.ts';
import {
  at,
  canMessage,
  FIRST_NS,
  type LiveBed,
  NS_PER_MS,
  openBed,
  SPEED,
  speedMessage,
  startLive,
  testCampaign,
} from './live-testbed.ts';
import { readRecorded, recordingsOf } from './read-recorded.ts';
import type { ClosedRecording } from './recorder-effects.ts';
import { RedactionLog } from './redaction-log.ts';
import { NOTED_SECONDS_MAX, takeNote } from './session-note.ts';
import { SessionNotes } from './session-notes.ts';

const CAMPAIGN = testCampaign('a', { preWindowMs: 4_000, postWindowMs: 6_000 });
const ROUND = { name: 'place', kind: 'round' } as const;
const HASHED = { rule: 'vin', kind: 'hash', topic: 'fleet.session', messages: 0 } as const;
const STEP_MS = 20;
const SMALL = { blockBytes: 2_000, blockAgeMs: 300 };
const WHOLE: PullRequest = {
  id: 'p1',
  fromNs: String(at(0)),
  toNs: String(at(60_000)),
  priority: 'bulk',
  requestedBy: 'x',
  reason: '',
};

/** What a capture line knows of a session while it lasts. */
class Witness {
  readonly log = new RedactionLog();
  readonly monitor = new ChannelMonitor();
  readonly clock: SessionClock;
  #nowNs = 0n;
  #stepNs = 0n;

  constructor() {
    this.clock = new SessionClock(
      { monotonicNs: () => 7_000n + this.#nowNs, wallNs: () => FIRST_NS + this.#nowNs + this.#stepNs },
      { source: 'ntp', uncertaintyNs: 2_000_000 },
    );
    this.monitor.startSession([]);
  }

  readonly facts: IntervalFacts = {
    clock: (startNs, endNs) =>
      this.clock.between(startNs, endNs, [{ topic: '/can/0/raw', kind: 'boot', offsetNs: '5', uncertaintyNs: '9' }]),
    redactions: (startNs, endNs) => [HASHED, ...this.log.between(startNs, endNs)],
    quality: (startNs, endNs) => ({ quality: this.monitor.quality(startNs, endNs) }),
  };

  see(ms: number, message: SourceMessage): void {
    this.#nowNs = BigInt(ms) * NS_PER_MS;
    if (ms % 1_000 === 0) this.clock.sample();
    this.monitor.push(message);
    if (message.kind === 'signal') this.log.add(ROUND, message.channel.topic, message.logTimeNs);
  }

  stepWall(byNs: bigint): void {
    this.#stepNs += byNs;
  }
}

type Cut = { readonly disk: MemoryDisk; readonly witness: Witness; readonly bed: LiveBed };

/** A trigger at 5 s, a step of the wall clock at 6 s, and power that is cut at 8 s. */
async function drive(endMs = 8_000): Promise<Cut> {
  const witness = new Witness();
  const disk = memoryDisk();
  const bed = await openBed(disk, { ...SMALL, facts: witness.facts }, { segmentBytes: 5_000 });
  bed.recorder.setCampaigns([CAMPAIGN]);
  startLive(bed.recorder);
  for (let ms = 0; ms <= endMs; ms += STEP_MS) {
    if (ms === 6_000) witness.stepWall(-3_600_000_000_000n);
    const message = ms % 40 === 0 ? speedMessage(ms, ms / 40) : canMessage(ms, ms / 20);
    witness.see(ms, message);
    bed.recorder.push(message);
    if (ms === 5_000) bed.recorder.trigger(CAMPAIGN, at(ms));
    if (ms % 500 === 0) await bed.ring.flush();
  }
  await bed.ring.flush();
  return { disk, witness, bed };
}

async function recover(disk: MemoryDisk): Promise<ClosedRecording> {
  const { recorder } = await openBed(disk.copy());
  const [recording, ...others] = recordingsOf(await recorder.recover());
  if (recording === undefined || others.length > 0) throw new Error('not one recording was recovered');
  return recording;
}

const pulled = async (recorder: EventRecorder): Promise<ClosedRecording> =>
  recordingsOf(await recorder.claimRange(WHOLE))[0] as ClosedRecording;

const redactedOf = ({ metadata }: ClosedRecording): number =>
  metadata.redactions?.find(({ rule }) => rule === ROUND.name)?.messages ?? 0;
const speedsIn = async (recording: ClosedRecording): Promise<number> =>
  (await readRecorded(recording)).filter(({ channel }) => channel.topic === SPEED.topic).length;

describe('a recording of what a power cut left', () => {
  it('says which redaction was applied, to no fewer messages than it holds, and to the attributes', async () => {
    const { disk } = await drive();
    const recording = await recover(disk);
    expect(await speedsIn(recording)).toBeGreaterThan(50);
    expect(redactedOf(recording)).toBeGreaterThanOrEqual(await speedsIn(recording));
    expect(recording.metadata.redactions).toContainEqual(HASHED);
  });

  it('says of its clock what the session would have said: samples, steps, sources and how far it may be off', async () => {
    const { disk, witness } = await drive();
    const { startNs, metadata } = await recover(disk);
    const live = witness.clock.between(startNs, at(7_600));
    expect(metadata.clock.source).toBe('ntp');
    expect(metadata.clock.steps).toEqual(live.steps);
    expect(metadata.clock.samples).toEqual(expect.arrayContaining(live.samples?.slice(1, -1) ?? []));
    expect(metadata.clock.uncertaintyNs).toBe(live.uncertaintyNs);
    expect(metadata.clock.sources).toEqual([{ topic: '/can/0/raw', kind: 'boot', offsetNs: '5', uncertaintyNs: '9' }]);
  });

  it('says the rates of its channels as they were', async () => {
    const { disk } = await drive();
    const { metadata } = await recover(disk);
    const rates = metadata.quality?.map(({ topic, expectedRateHz, measuredRateHz }) => [
      topic,
      expectedRateHz,
      measuredRateHz,
    ]);
    expect(rates).toEqual([
      [SPEED.topic, 25, 25],
      ['/can/0/raw', 25, 25],
    ]);
  });

  it('holds no message without its redaction, wherever its segments were cut', async () => {
    const { disk } = await drive(6_000);
    const paths = [...disk.files.keys()].filter((path) => path.endsWith('.ring'));
    await fc.assert(
      fc.asyncProperty(fc.nat(), evenly(0, 1), async (which, share) => {
        const cut = disk.copy();
        const path = paths[which % paths.length] ?? '';
        const whole = cut.files.get(path) ?? new Uint8Array();
        cut.files.set(path, whole.slice(0, Math.floor(share * whole.length)));
        const recording = await recover(cut);
        expect(redactedOf(recording)).toBeGreaterThanOrEqual(await speedsIn(recording));
      }),
      { numRuns: 60 },
    );
  }, 30_000);

  it('of a ring that was written without notes says what its messages show and nothing else', async () => {
    const disk = memoryDisk();
    const { recorder, ring } = await openBed(disk, SMALL);
    recorder.setCampaigns([CAMPAIGN]);
    startLive(recorder);
    for (let ms = 0; ms <= 6_000; ms += 40) {
      recorder.push(speedMessage(ms, ms / 40));
      if (ms === 5_000) recorder.trigger(CAMPAIGN, at(ms));
    }
    await ring.flush();
    const { metadata } = await recover(disk);
    expect(metadata.clock.source).toBe('session');
    expect(metadata.redactions).toBeUndefined();
    expect(metadata.quality).toMatchObject([{ topic: SPEED.topic, expectedRateHz: 25 }]);
  });
});

describe('a pull of a session that is over', () => {
  it('says what a pull of it said while it lasted', async () => {
    const { disk, bed } = await drive();
    const live = await pulled(bed.recorder);
    const former = await pulled((await openBed(disk.copy())).recorder);
    expect(redactedOf(former)).toBeGreaterThanOrEqual(await speedsIn(former));
    expect(former.metadata.clock).toEqual({ ...live.metadata.clock, samples: former.metadata.clock.samples });
    expect(former.metadata.clock.samples).toEqual(
      expect.arrayContaining(live.metadata.clock.samples?.slice(0, -1) ?? []),
    );
    expect(former.metadata.quality).toEqual(live.metadata.quality);
  });

  it('in the same boot finds the notes without the disk', async () => {
    const { bed } = await drive();
    bed.recorder.endSession();
    await bed.ring.flush();
    const former = await pulled(bed.recorder);
    expect(redactedOf(former)).toBe(await speedsIn(former));
    expect(former.metadata.clock.source).toBe('ntp');
  });
});

describe('values that stood still before the power went', () => {
  const frozenDrive = async (isRedacted: boolean): Promise<ClosedRecording> => {
    const disk = memoryDisk();
    const log = new RedactionLog();
    const facts: IntervalFacts = { redactions: (startNs, endNs) => log.between(startNs, endNs) };
    const { recorder, ring } = await openBed(disk, { ...SMALL, facts });
    recorder.setCampaigns([CAMPAIGN]);
    startLive(recorder);
    for (let ms = 0; ms <= 9_000; ms += STEP_MS) {
      const sequence = ms / STEP_MS;
      const values = Float64Array.of(ms < 5_000 ? 50 + Math.sin(sequence) : 42.5, Number.NaN);
      recorder.push({ ...speedMessage(ms, sequence), values } as SourceMessage);
      if (isRedacted) log.add(ROUND, SPEED.topic, at(ms));
      if (ms === 5_000) recorder.trigger(CAMPAIGN, at(ms));
    }
    await ring.flush();
    return recover(disk);
  };

  it('are found again in what was recovered', async () => {
    const { metadata } = await frozenDrive(false);
    expect(metadata.quality).toMatchObject([
      { topic: SPEED.topic, frozen: [{ path: 'Vehicle.Speed', fromNs: String(at(5_000)) }] },
    ]);
  });

  it('are not judged where redaction may have made them equal', async () => {
    const { metadata } = await frozenDrive(true);
    expect(metadata.quality?.[0]?.topic).toBe(SPEED.topic);
    expect(metadata.quality?.[0]).not.toHaveProperty('frozen');
  });
});

describe('the notes of a session', () => {
  it('count every second once, however often it was noted', () => {
    const log = new RedactionLog();
    const base = { ns: at(0), high: 0, low: 0 };
    const notes = new SessionNotes({ redactions: (startNs, endNs) => log.between(startNs, endNs) });
    const blocks = Array.from({ length: 40 }, (_, index) => ({ earliest: index * 3e8, latest: index * 3e8 + 2e8 }));
    for (const block of blocks) {
      for (const time of [block.earliest, block.latest]) log.add(ROUND, SPEED.topic, at(0) + BigInt(time));
      notes.take(block, base);
    }
    const facts = notes.factsOf(blocks, base);
    for (const [from, to] of [
      [0, 12_000],
      [2_000, 2_999],
      [5_500, 9_100],
    ] as const)
      expect(facts.redactions?.(at(from), at(to))).toEqual(log.between(at(from), at(to)));
  });

  it('stay small after a long silence', () => {
    const redactions = (
      startNs: bigint,
    ): readonly [{ rule: string; kind: 'drop'; topic: string; messages: number }] => [
      { rule: 'r', kind: 'drop', topic: '/t', messages: Number(startNs % 7n) + 1 },
    ];
    const note = takeNote({ redactions }, at(0), at(86_400_000));
    expect(note?.redactions[0]?.seconds).toHaveLength(Number(NOTED_SECONDS_MAX) + 1);
  });

  it('that are not notes are left out', () => {
    const block = { earliest: 0, latest: 1 };
    const notes = new SessionNotes();
    notes.put(block, new TextEncoder().encode('{"clock":{"source":3}}'));
    const facts = notes.factsOf([block], { ns: at(0), high: 0, low: 0 });
    expect(facts.redactions?.(at(0), at(1))).toEqual([]);
    expect(facts.clock?.(at(0), at(1))).toEqual({});
  });
});
