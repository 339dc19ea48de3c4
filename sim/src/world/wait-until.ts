/** Waiting for a condition with a deadline: the only way in which the proving ground waits. */
import { setTimeout as delay } from 'node:timers/promises';
import { FleetError } from '@fleetloop/schemas';

const POLL_INTERVAL_MS = 250;

export type WaitOptions = { readonly what: string; readonly timeoutMs: number; readonly signal: AbortSignal };

/**
 * Polls `ask` until it returns something other than undefined.
 * @throws FleetError INTERNAL_UNEXPECTED naming `what` when the deadline passes
 */
export async function waitUntil<T>(ask: () => Promise<T | undefined>, options: WaitOptions): Promise<T> {
  const deadlineMs = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadlineMs) {
      throw new FleetError('INTERNAL_UNEXPECTED', `${options.what}: not within ${options.timeoutMs / 1_000} s`);
    }
    await delay(POLL_INTERVAL_MS, undefined, { signal: options.signal });
  }
}
