/** A step of the wall clock in the middle of an event is the moment that the session's clock exists for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordingMetadata } from '@fleetloop/schemas';
import { type ClockPair, SAMPLES_MAX, SessionClock } from './clock-session.ts';
import { makeSourceClockConverter } from './clock-source-converter.ts';

const S = 1_000_000_000n;
const MS = 1_000_000n;
const WALL = 1_700_000_000n * S;

/** Two clocks that are moved by hand. */
class HandClocks implements ClockPair {
  monotonic = 5_000n * S;
  wall = WALL;
  monotonicNs(): bigint {
    return this.monotonic;
  }
  wallNs(): bigint {
    return this.wall;
  }
  pass(ns: bigint): void {
    this.monotonic += ns;
    this.wall += ns;
  }
}

const declaration = { source: 'ntp', uncertaintyNs: 2_000_000 };
const RecordingClock = RecordingMetadata.shape.clock;

describe('SessionClock', () => {
  it('gives the same times whatever the wall clock does, and notices each step', () => {
    const seconds = fc.record({
      elapsedMs: fc.bigInt({ min: 1n, max: 3_000n }),
      stepMs: fc.bigInt({ min: -9_000_000n, max: 9_000_000n }),
    });
    fc.assert(
      fc.property(fc.array(seconds, { minLength: 1, maxLength: 50 }), (moves) => {
        const clocks = new HandClocks();
        const clock = new SessionClock(clocks, declaration);
        let expectedNs = WALL;
        let steps = 0;
        for (const { elapsedMs, stepMs } of moves) {
          clocks.pass(elapsedMs * MS);
          clocks.wall += stepMs * MS;
          expectedNs += elapsedMs * MS;
          expect(clock.nowNs()).toBe(expectedNs);
          const isLarge = (stepMs < 0n ? -stepMs : stepMs) > 20n;
          const seen = clock.sample();
          if (isLarge) expect(seen).toEqual({ atNs: expectedNs, byNs: stepMs * MS });
          if (seen !== undefined) steps += 1;
        }
        expect(clock.stepsSeen).toBe(steps);
        expect(clock.wallAheadNs).toBe(clocks.wall - expectedNs);
      }),
    );
  });

  it('takes no slewing for a step', () => {
    const clocks = new HandClocks();
    const clock = new SessionClock(clocks, declaration);
    for (let index = 0; index < 1_000; index += 1) {
      clocks.pass(S);
      clocks.wall += 500_000n;
      expect(clock.sample()).toBeUndefined();
    }
    expect(clock.wallAheadNs).toBe(500n * MS);
  });

  it('describes a recording by the samples around it and the steps inside', () => {
    const clocks = new HandClocks();
    const clock = new SessionClock(clocks, declaration);
    for (let second = 1; second <= 60; second += 1) {
      clocks.pass(S);
      if (second === 30) clocks.wall -= 7_200n * S;
      clock.sample();
    }
    const quiet = clock.between(WALL + 10n * S, WALL + 20n * S);
    expect(quiet.steps).toBeUndefined();
    expect(quiet.samples).toHaveLength(13);
    expect(quiet).toMatchObject({ source: 'ntp', uncertaintyNs: '3000000' });
    const stepped = clock.between(WALL + 25n * S, WALL + 35n * S);
    expect(stepped.steps).toEqual([{ atNs: (WALL + 30n * S).toString(), byNs: (-7_200n * S).toString() }]);
    expect(BigInt(stepped.uncertaintyNs)).toBeGreaterThanOrEqual(7_200n * S);
    for (const record of [quiet, stepped]) expect(RecordingClock.parse(record)).toEqual(record);
  });

  it('covers a long session with bounded samples', () => {
    const clocks = new HandClocks();
    const clock = new SessionClock(clocks, declaration);
    const seconds = SAMPLES_MAX * 3;
    for (let second = 0; second < seconds; second += 1) {
      clocks.pass(S);
      clock.sample();
    }
    const record = clock.between(WALL, clock.nowNs());
    expect(record.samples?.length).toBe(256);
    expect(record.samples?.[0]?.wallNs).toBe(WALL.toString());
    expect(record.samples?.at(-1)?.wallNs).toBe(clocks.wall.toString());
    expect(RecordingClock.safeParse(record).success).toBe(true);
  });
});

describe('makeSourceClockConverter', () => {
  it('puts UTC stamps on the session clock, also after the wall clock was corrected', () => {
    const clocks = new HandClocks();
    const clock = new SessionClock(clocks, declaration);
    const converter = makeSourceClockConverter({ kind: 'utc', uncertaintyNs: 5 }, () => clock);
    expect(converter.record('/vss/Vehicle')).toBeUndefined();
    clocks.pass(S);
    clocks.wall += 3_600n * S;
    clock.sample();
    expect(converter.toSessionNs(clocks.wall - 10n * MS, clock.nowNs())).toBe(clock.nowNs() - 10n * MS);
    expect(converter.record('/vss/Vehicle')).toEqual({
      topic: '/vss/Vehicle',
      kind: 'utc',
      offsetNs: '0',
      uncertaintyNs: '5',
    });
  });

  it('finds the offset of stamps since boot from arrivals and never stamps later than the arrival', () => {
    const clocks = new HandClocks();
    const clock = new SessionClock(clocks, declaration);
    const converter = makeSourceClockConverter(
      { kind: 'boot', latencyNsMax: 5_000_000, driftPpmMax: 100, windowMs: 1_000, uncertaintyNs: 0 },
      () => clock,
    );
    for (let index = 0; index < 400; index += 1) {
      const delayNs = BigInt(index % 7) * MS;
      clocks.pass(10n * MS);
      const stampNs = clocks.monotonic - 4_000n * S;
      const arrivalNs = clock.nowNs() + delayNs;
      expect(converter.toSessionNs(stampNs, arrivalNs)).toBeLessThanOrEqual(arrivalNs);
    }
    const record = converter.record('/sensor/front/radar');
    const errorNs = BigInt(record?.offsetNs ?? 0) - (WALL - 1_000n * S);
    expect(errorNs < 0n ? -errorNs : errorNs).toBeLessThanOrEqual(BigInt(record?.uncertaintyNs ?? 0));
    expect(record?.kind).toBe('boot');
  });
});
