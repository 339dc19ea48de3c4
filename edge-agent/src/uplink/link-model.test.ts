import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  answerTimeoutMs,
  type Flight,
  type LinkModel,
  mayTake,
  onConfirmed,
  onSent,
  startLinkModel,
  windowBytes,
} from './link-model.ts';

const PIECE = 256 * 1_024;

/** A link with a rate and a delay: what it makes of a model that always has something to send. */
function drive(
  bytesPerMs: number,
  delayMs: number,
  forMs: number,
): { readonly model: LinkModel; readonly busyShare: number; readonly ahead: number; readonly timeouts: number } {
  let model = startLinkModel(64 * PIECE);
  const flights: { readonly flight: Flight; readonly answeredAtMs: number; readonly timeoutMs: number }[] = [];
  let [nowMs, freeAtMs, busyMs, ahead, timeouts] = [0, 0, 0, 0, 0];
  while (nowMs < forMs) {
    while (mayTake(model, PIECE, nowMs)) {
      const timeoutMs = answerTimeoutMs(model, PIECE);
      const sent = onSent(model, PIECE, nowMs);
      model = sent.model;
      if (nowMs > forMs / 2) ahead = Math.max(ahead, (freeAtMs - nowMs) * bytesPerMs);
      freeAtMs = Math.max(freeAtMs, nowMs) + PIECE / bytesPerMs;
      if (nowMs > forMs / 2) busyMs += PIECE / bytesPerMs;
      flights.push({ flight: sent.flight, answeredAtMs: freeAtMs + 2 * delayMs, timeoutMs });
    }
    const next = flights.shift();
    if (next === undefined) throw new Error('nothing is in flight');
    nowMs = next.answeredAtMs;
    if (nowMs - next.flight.sentAtMs > next.timeoutMs) timeouts += 1;
    model = onConfirmed(model, next.flight, nowMs);
  }
  return { model, busyShare: busyMs / (forMs / 2), ahead, timeouts };
}

describe('the window', () => {
  it('fills slow and fast links, near and far', () => {
    for (const [bytesPerMs, delayMs] of [
      [10, 50],
      [1_000, 1],
      [1_000, 40],
      [1_000, 150],
      [12_500, 20],
      [50_000, 2],
    ] as const)
      expect(drive(bytesPerMs, delayMs, Math.max(60_000, (400 * PIECE) / bytesPerMs)).busyShare).toBeGreaterThan(0.95);
  });

  it('keeps about one piece in front of an urgent one on a slow link', () => {
    for (const delayMs of [1, 20, 60]) expect(drive(1_000, delayMs, 60_000).ahead).toBeLessThanOrEqual(1.1 * PIECE);
  });

  it('lets no answer of a slow link come too late', () => {
    for (const bytesPerMs of [4, 10, 100]) expect(drive(bytesPerMs, 100, 3_600_000).timeouts).toBe(0);
  });

  it('is never smaller than one piece nor larger than its maximum, and never locks', () => {
    const step = fc.record({
      pauseMs: fc.integer({ min: 0, max: 60_000 }),
      bytes: fc.integer({ min: 1, max: PIECE }),
      isAnswered: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
        let model = startLinkModel(4 * PIECE);
        let nowMs = 0;
        const open: Flight[] = [];
        for (const { pauseMs, bytes, isAnswered } of steps) {
          nowMs += pauseMs;
          if (mayTake(model, bytes, nowMs)) {
            const sent = onSent(model, bytes, nowMs);
            model = sent.model;
            open.push(sent.flight);
          }
          const flight = isAnswered ? open.shift() : undefined;
          if (flight !== undefined) model = onConfirmed(model, flight, nowMs);
          expect(windowBytes(model, nowMs)).toBeLessThanOrEqual(4 * PIECE);
          expect(model.inFlightBytes).toBe(open.reduce((sum, each) => sum + each.bytes, 0));
          if (open.length === 0) expect(mayTake(model, PIECE, nowMs)).toBe(true);
        }
      }),
    );
  });
});
