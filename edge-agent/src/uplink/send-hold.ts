/** A pause of everything of one kind, after the receiver was full or refused the key: to try each recording would only waste bytes. */
import { backoffMs } from './backoff.ts';

export type HoldReason = 'auth' | 'busy';

export type SendHold = {
  readonly reason: HoldReason;
  readonly untilMs: number;
  /** Refusals in a row. */
  readonly failures: number;
  readonly code: string;
  readonly message: string;
};

export type Refusal = { readonly reason: HoldReason; readonly code: string; readonly message: string };

/** The hold after one more refusal; several that were under way together count once. */
export function holdAfter(
  hold: SendHold | undefined,
  refusal: Refusal,
  moment: { readonly nowMs: number; readonly jitter: number },
): SendHold {
  if (hold !== undefined && moment.nowMs < hold.untilMs) return hold;
  const failures = (hold?.failures ?? 0) + 1;
  return { ...refusal, failures, untilMs: moment.nowMs + backoffMs(refusal.reason, failures, moment.jitter) };
}
