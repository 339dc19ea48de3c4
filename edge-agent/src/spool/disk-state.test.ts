import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DISK_AT_START,
  type DiskInput,
  type DiskState,
  isTaken,
  RETRY_MS,
  RETRY_MS_MAX,
  stepDisk,
} from './disk-state.ts';

const LIMITS = { quotaBytes: 1_000, reserveBytes: 100 };
const measured = (freeBytes: number, usedBytes = 0, nowMs = 0): DiskInput => ({
  kind: 'measured',
  freeBytes,
  usedBytes,
  nowMs,
});
const run = (inputs: readonly DiskInput[], from: DiskState = DISK_AT_START): string[] => {
  let state = from;
  return inputs.map((input) => (state = stepDisk(state, input, LIMITS)).name);
};
const inputs = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('measured' as const),
      freeBytes: fc.integer({ min: 0, max: 2_000 }),
      usedBytes: fc.integer({ min: 0, max: 1_100 }),
      nowMs: fc.integer({ min: 0, max: 100_000 }),
    }),
    fc.record({ kind: fc.constant('failed' as const), nowMs: fc.integer({ min: 0, max: 100_000 }) }),
    fc.constant({ kind: 'written' as const }),
  ),
  { maxLength: 30 },
);

describe('the state of the disk', () => {
  it('narrows step by step as room goes, and widens by itself as it comes back', () => {
    expect(run([2_000, 119, 99, 49, 74, 76, 124, 126, 141].map((free) => measured(free)))).toEqual([
      'normal',
      'evicting',
      'safety-only',
      'refusing',
      'refusing',
      'safety-only',
      'safety-only',
      'evicting',
      'normal',
    ]);
  });

  it('narrows for the quota as for the disk', () => {
    expect(run([979, 981, 961, 959].map((used) => measured(10_000, used)))).toEqual([
      'normal',
      'evicting',
      'evicting',
      'normal',
    ]);
  });

  it('does not flutter around a mark', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -12, max: 12 }), { minLength: 2, maxLength: 50 }), (steps) => {
        const names = run(steps.map((step) => measured(LIMITS.reserveBytes + step)));
        const changes = names.filter((name, index) => index > 0 && name !== names[index - 1]).length;
        expect(changes).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('refuses after a write that failed and tries again later and later', () => {
    let state = stepDisk(DISK_AT_START, { kind: 'failed', nowMs: 0 }, LIMITS);
    expect(state.name).toBe('refusing');
    state = stepDisk(state, measured(10_000, 0, RETRY_MS - 1), LIMITS);
    expect(state.name).toBe('refusing');
    state = stepDisk(state, measured(10_000, 0, RETRY_MS), LIMITS);
    expect(state.name).toBe('normal');
    for (let failures = 0; failures < 20; failures += 1) state = stepDisk(state, { kind: 'failed', nowMs: 0 }, LIMITS);
    expect(state.retryAtMs).toBe(RETRY_MS_MAX);
    state = stepDisk(state, { kind: 'written' }, LIMITS);
    expect(state).toMatchObject({ failures: 0, retryAtMs: undefined });
  });

  it('recovers from anything once there is room', () => {
    fc.assert(
      fc.property(inputs, (before) => {
        let state = DISK_AT_START;
        for (const input of before) state = stepDisk(state, input, LIMITS);
        expect(stepDisk(state, measured(10_000, 0, 1_000_000), LIMITS).name).toBe('normal');
      }),
    );
  });

  it('takes safety recordings in every state but refusing, and the others only above the reserve', () => {
    fc.assert(
      fc.property(inputs, (before) => {
        let state = DISK_AT_START;
        for (const input of before) {
          state = stepDisk(state, input, LIMITS);
          const taken = (['safety', 'normal', 'bulk'] as const).map((priority) => isTaken(state, priority));
          expect(taken[0]).toBe(state.name !== 'refusing');
          expect(taken[1]).toBe(taken[2]);
          if (input.kind === 'measured' && input.freeBytes < LIMITS.reserveBytes) expect(taken[1]).toBe(false);
        }
      }),
    );
  });
});
