import type { OpaqueChannel, SignalChannel, SourceMessage } from '@fleetloop/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES } from './message-block.ts';
import { MessageRing } from './message-ring.ts';

const SIGNAL: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [
    { path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' },
    { path: 'Vehicle.TravelledDistance', field: 'travelled_distance', unit: 'km' },
  ],
};
const OPAQUE: OpaqueChannel = { kind: 'opaque', topic: '/can/0/raw', schemaName: 'fleetloop.capture.CanFrame' };

const message = fc.oneof(
  fc
    .record({
      time: fc.integer({ min: 0, max: 1_000 }),
      sequence: fc.nat(),
      values: fc.tuple(fc.double(), fc.double()),
    })
    .map(
      ({ time, sequence, values }): SourceMessage => ({
        kind: 'signal',
        channel: SIGNAL,
        sequence,
        logTimeNs: BigInt(time),
        publishTimeNs: BigInt(time) + 1n,
        values: Float64Array.from(values),
      }),
    ),
  fc
    .record({ time: fc.integer({ min: 0, max: 1_000 }), sequence: fc.nat(), data: fc.uint8Array({ maxLength: 40 }) })
    .map(
      ({ time, sequence, data }): SourceMessage => ({
        kind: 'opaque',
        channel: OPAQUE,
        sequence,
        logTimeNs: BigInt(time),
        publishTimeNs: BigInt(time),
        data,
      }),
    ),
);

const opaque = (timeNs: number, sizeBytes: number): SourceMessage => ({
  kind: 'opaque',
  channel: OPAQUE,
  sequence: timeNs,
  logTimeNs: BigInt(timeNs),
  publishTimeNs: BigInt(timeNs),
  data: new Uint8Array(sizeBytes).fill(timeNs),
});

describe('the message ring', () => {
  it('gives back what a plain list would, whatever is pushed and dropped', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            message,
            fc.integer({ min: 0, max: 1_000 }).map((dropBefore) => ({ dropBefore })),
          ),
          { maxLength: 60 },
        ),
        (steps) => {
          const ring = new MessageRing();
          let model: SourceMessage[] = [];
          for (const step of steps) {
            if ('dropBefore' in step) {
              ring.dropBefore(BigInt(step.dropBefore));
              const kept = model.findIndex((each) => each.logTimeNs >= BigInt(step.dropBefore));
              model = kept === -1 ? [] : model.slice(kept);
            } else {
              ring.push(step);
              model.push(step);
            }
          }
          expect([...ring.select(0n, 1_000n, undefined)]).toEqual(model);
          const chosen = model.filter(
            (each) => each.logTimeNs >= 200n && each.logTimeNs <= 700n && each.channel.topic === '/can/0/raw',
          );
          const selected = ring.select(200n, 700n, new Set(['/can/0/raw']));
          expect([...selected]).toEqual(chosen);
          expect(selected.length).toBe(chosen.length);
        },
      ),
    );
  });

  it('keeps a selection readable after what it holds was dropped', () => {
    const ring = new MessageRing();
    for (let time = 0; time < 300; time += 1) ring.push(opaque(time, 1_000));
    const selected = ring.select(10n, 20n, undefined);
    ring.dropBefore(1_000n);
    for (let time = 300; time < 600; time += 1) ring.push(opaque(time, 1_000));
    expect([...selected].map((each) => each.sequence)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  });

  it('frees memory as it drops, and never holds more than asked plus the block that is being filled', () => {
    const ring = new MessageRing();
    for (let time = 0; time < 1_000; time += 1) ring.push(opaque(time, 1_000));
    const { dropped, untilNs } = ring.dropToSize(4 * BLOCK_BYTES);
    expect(ring.sizeBytes).toBeLessThanOrEqual(4 * BLOCK_BYTES);
    expect(BigInt(dropped) - 1n).toBe(untilNs);
    expect(ring.select(0n, untilNs, undefined).length).toBe(0);
    expect(ring.select(untilNs + 1n, 1_000n, undefined).length).toBe(1_000 - dropped);
    ring.dropBefore(5_000n);
    expect(ring.sizeBytes).toBe(BLOCK_BYTES);
  });

  it('takes a message that is longer than a block', () => {
    const ring = new MessageRing();
    const long = opaque(1, 3 * BLOCK_BYTES);
    ring.push(opaque(0, 10));
    ring.push(long);
    ring.push(opaque(2, 10));
    expect([...ring.select(1n, 1n, undefined)]).toEqual([long]);
  });
});
