import type { SourceMessage } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { at, canMessage, CAN, FIRST_NS, SPEED, speedMessage } from './live-testbed.ts';
import { areWholeRecords } from './message-record.ts';
import type { Span } from './gaps.ts';
import type { Selection } from './selection.ts';
import { SessionRing } from './session-ring.ts';
import { ALL_TOPICS, type TopicPlan } from './topic-plan.ts';

const BLOCK_BYTES = 1_000;
const WHOLE: Span = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };
const ring = (): SessionRing => new SessionRing(FIRST_NS, { blockBytes: BLOCK_BYTES, blockAgeNs: Infinity });
const msOf = (ms: number): number => ms * 1e6;

/** Sequences and times of what was chosen, read from the bytes that would be copied into a file. */
async function read({ pieces, messages }: Selection): Promise<readonly (readonly [number, bigint])[]> {
  const found: (readonly [number, bigint])[] = [];
  for (const { block, runs } of pieces) {
    const bytes = await block.load();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let index = 0; index < runs.length; index += 2) {
      const [from = 0, to = 0] = [runs[index], runs[index + 1]];
      expect(
        areWholeRecords(bytes.subarray(from, to), new DataView(bytes.buffer, bytes.byteOffset + from, to - from)),
      ).toBe(true);
      for (let offset = from; offset < to; offset += 9 + view.getUint32(offset + 1, true))
        found.push([view.getUint32(offset + 11, true), view.getBigUint64(offset + 15, true)]);
    }
  }
  expect(found.length).toBe(messages);
  return found;
}

describe('the ring of a session', () => {
  it('gives back what a plain list would, whatever is pushed and freed', async () => {
    const push = fc.record({ ms: fc.integer({ min: 0, max: 1_000 }), isCan: fc.boolean() });
    const free = fc.record({ freeMs: fc.integer({ min: 0, max: 1_000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof({ weight: 9, arbitrary: push }, free), { maxLength: 120 }), async (steps) => {
        const made = ring();
        const model: SourceMessage[] = [];
        let freedMs = 0;
        for (const [index, step] of steps.entries()) {
          if ('freeMs' in step) {
            freedMs = Math.max(freedMs, step.freeMs);
            made.trim(msOf(freedMs), msOf(freedMs));
          } else {
            const message = step.isCan ? canMessage(step.ms, index) : speedMessage(step.ms, index);
            made.push(message);
            model.push(message);
          }
        }
        const held = model
          .filter((each) => each.logTimeNs >= at(freedMs))
          .map((each) => [each.sequence, each.logTimeNs]);
        expect(await read(made.select({ start: msOf(freedMs), end: WHOLE.end }, ALL_TOPICS))).toEqual(held);
        const plan: TopicPlan = { topics: new Set([CAN.topic]), ratesHzMax: new Map() };
        const span = { start: msOf(Math.max(freedMs, 200)), end: msOf(700) };
        const chosen = model.filter(
          ({ logTimeNs, channel }) =>
            channel.topic === CAN.topic && logTimeNs >= at(Math.max(freedMs, 200)) && logTimeNs <= at(700),
        );
        expect(await read(made.select(span, plan))).toEqual(chosen.map((each) => [each.sequence, each.logTimeNs]));
      }),
    );
  });

  it('keeps a selection readable after what it holds was dropped', async () => {
    const made = ring();
    for (let ms = 0; ms < 300; ms += 1) made.push(speedMessage(ms, ms));
    const selected = made.select({ start: msOf(10), end: msOf(20) }, ALL_TOPICS);
    made.trim(msOf(1_000), msOf(1_000));
    for (let ms = 300; ms < 600; ms += 1) made.push(speedMessage(ms, ms));
    expect((await read(selected)).map(([sequence]) => sequence)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  });

  it('frees memory as it drops, counts what it lost, and says from when on it is whole', async () => {
    const made = ring();
    for (let ms = 0; ms < 1_000; ms += 1) made.push(speedMessage(ms, ms));
    made.dropToSize(8 * BLOCK_BYTES);
    expect(made.memoryBytes).toBeLessThanOrEqual(8 * BLOCK_BYTES);
    expect(made.droppedUntil).toBe(msOf(made.droppedMessages - 1));
    expect(await read(made.select(WHOLE, ALL_TOPICS))).toHaveLength(1_000 - made.droppedMessages);
  });

  it('takes a message that is longer than a block', async () => {
    const made = ring();
    for (const [sequence, sizeBytes] of [10, 5 * BLOCK_BYTES, 10].entries())
      made.push(canMessage(sequence, sequence, sizeBytes));
    expect(await read(made.select({ start: msOf(1), end: msOf(1) }, ALL_TOPICS))).toEqual([[1, at(1)]]);
  });

  it('gives a channel that is declared again in the same form the same id, and one in another form another', () => {
    const made = ring();
    const again = { ...SPEED, signals: SPEED.signals.map((signal) => ({ ...signal })) };
    const ids = [SPEED, CAN, again, { ...SPEED, rateHz: 5 }].map((channel) => made.channels.idOf(channel));
    expect(ids).toEqual([0, 1, 0, 2]);
  });
});
