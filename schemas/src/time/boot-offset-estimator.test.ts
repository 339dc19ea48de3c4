/** An estimate is worth as much as the uncertainty that it states: the truth must lie within. */
import fc from 'fast-check';
import { evenly } from '../fixtures/evenly.ts';
import { describe, expect, it } from 'vitest';
import { BootOffsetEstimator } from './boot-offset-estimator.ts';
import { SourceClockDeclaration } from './source-clock.ts';

const MS = 1_000_000;
const START_NS = 1_700_000_000_000_000_000n;

const estimatorOf = (options: object): BootOffsetEstimator => {
  const declaration = SourceClockDeclaration.parse({ kind: 'boot', ...options });
  if (declaration.kind !== 'boot') throw new Error('not a boot clock');
  return new BootOffsetEstimator(declaration);
};

/** Messages of a drifting clock, with random delays of which one in each window keeps the promise. */
type World = {
  readonly driftPpm: number;
  readonly delaysMs: readonly number[];
  readonly latencyMs: number;
  readonly everyMs: number;
  /** Added to the source's clock from this message on. */
  readonly jump?: { readonly at: number; readonly byMs: number };
};

const world: fc.Arbitrary<World> = fc.record({
  driftPpm: evenly(-100, 100),
  delaysMs: fc.array(evenly(0, 400), { minLength: 300, maxLength: 400 }),
  latencyMs: evenly(0, 5),
  everyMs: fc.integer({ min: 20, max: 90 }),
});

/** Runs it; `check` gets the error of the estimate after each message, by the offset that is true at that moment. */
function play(
  { driftPpm, delaysMs, latencyMs, everyMs, jump }: World,
  check: (index: number, errorNs: number, uncertaintyNs: number, isSettled: boolean) => void,
): BootOffsetEstimator {
  const estimator = estimatorOf({ latencyNsMax: 5 * MS, driftPpmMax: 100, windowMs: 1_000 });
  let previousNs = 0;
  for (const [index, random] of delaysMs.entries()) {
    const sentNs = index * everyMs * MS;
    // Every eighth message is quick: at 90 ms at least one in each window.
    const delayNs = (index % 8 === 0 ? latencyMs : random) * MS;
    const arrivalNs = Math.max(previousNs, Math.round(sentNs + delayNs));
    previousNs = arrivalNs;
    const jumpedMs = jump !== undefined && index >= jump.at ? jump.byMs : 0;
    const stampAt = (ns: number): number => Math.round(ns * (1 + driftPpm / 1e6)) + jumpedMs * MS + 5_000 * MS;
    estimator.add(BigInt(stampAt(sentNs)), START_NS + BigInt(arrivalNs));
    const trueOffsetNs = START_NS + BigInt(arrivalNs) - BigInt(stampAt(arrivalNs));
    const estimate = estimator.estimate();
    if (estimate === undefined) throw new Error('no estimate');
    const errorNs = Number(estimate.offsetNs - trueOffsetNs);
    check(index, errorNs, Number(estimate.uncertaintyNs), estimate.isSettled);
  }
  return estimator;
}

describe('BootOffsetEstimator', () => {
  it('has the true offset within its uncertainty under random delay and drift, once a window has passed', () => {
    let settled = 0;
    fc.assert(
      fc.property(world, (given) => {
        // Messages arrive in order, so a long delay would make the quick ones behind it late as well.
        const delaysMs = given.delaysMs.map((delay) => Math.min(delay, given.everyMs * 0.9));
        play({ ...given, delaysMs }, (_, errorNs, uncertaintyNs, isSettled) => {
          if (!isSettled) return;
          settled += 1;
          expect(Math.abs(errorNs)).toBeLessThanOrEqual(uncertaintyNs);
        });
      }),
      { numRuns: 60 },
    );
    expect(settled).toBeGreaterThan(1_000);
  });

  it('is settled within its uncertainty again two windows after a jump of the clock', () => {
    let after = 0;
    fc.assert(
      fc.property(world, fc.integer({ min: -900, max: 5_000 }), (given, byMs) => {
        const delaysMs = given.delaysMs.map((delay) => Math.min(delay, given.everyMs * 0.9));
        const at = 150;
        const windows = Math.ceil(3_000 / given.everyMs);
        play({ ...given, delaysMs, jump: { at, byMs } }, (index, errorNs, uncertaintyNs) => {
          if (index < at + windows) return;
          after += 1;
          expect(Math.abs(errorNs)).toBeLessThanOrEqual(uncertaintyNs);
          expect(uncertaintyNs).toBeLessThan(100 * MS);
        });
      }),
      { numRuns: 60 },
    );
    expect(after).toBeGreaterThan(1_000);
  });

  it('starts anew when the source starts again', () => {
    const estimator = estimatorOf({});
    estimator.add(100_000_000_000n, START_NS);
    estimator.add(1_000_000n, START_NS + 2_000_000_000n);
    expect(estimator.estimate()?.offsetNs).toBe(START_NS + 1_999_000_000n);
    expect(estimator.jumps).toBe(1);
  });

  it('moves with the clock that arrivals are on', () => {
    const estimator = estimatorOf({});
    estimator.add(1_000n, START_NS);
    const before = estimator.estimate()?.offsetNs ?? 0n;
    estimator.rebase(-5_000n);
    expect(estimator.estimate()?.offsetNs).toBe(before - 5_000n);
  });

  it('knows nothing before the first message', () => {
    expect(estimatorOf({}).estimate()).toBeUndefined();
  });
});
