/** How urgent a recording is now: its priority, one step up while its deadline is near. */
import type { Priority } from '@fleetloop/schemas';

/** The last part of the time in which a recording should arrive; in it, and after it, it is boosted. */
export const BOOST_SHARE = 1 / 3;

export type Deadline = {
  /** Monotonic ms. */
  readonly dueMs: number;
  readonly withinMs: number;
};

export type Urgency = {
  /** The class in which it is sent. */
  readonly priority: Priority;
  /** It comes after those whose own priority that is: a boost never delays what matters more. */
  readonly isBoosted: boolean;
  /** When it changes by itself, monotonic ms. */
  readonly changesAtMs: number | undefined;
};

const ONE_UP = { safety: undefined, normal: 'safety', bulk: 'normal' } as const;

/** The urgency of a recording at a moment. */
export function urgencyOf(priority: Priority, deadline: Deadline | undefined, nowMs: number): Urgency {
  const up = ONE_UP[priority];
  if (deadline === undefined || up === undefined) return { priority, isBoosted: false, changesAtMs: undefined };
  const boostAtMs = deadline.dueMs - deadline.withinMs * BOOST_SHARE;
  if (nowMs < boostAtMs) return { priority, isBoosted: false, changesAtMs: boostAtMs };
  return { priority: up, isBoosted: true, changesAtMs: undefined };
}

export type DeadlineStamps = {
  readonly capturedAtMs?: number | undefined;
  readonly uploadWithinMs?: number | undefined;
};

/**
 * The deadline on the monotonic clock. The wall clock is asked once, when the recording is found; a step of it since the
 * capture can move the deadline only between now and the whole time from now.
 */
export function deadlineOf(stamps: DeadlineStamps, nowMs: number, wallMs: number): Deadline | undefined {
  const { capturedAtMs, uploadWithinMs } = stamps;
  if (uploadWithinMs === undefined) return undefined;
  const leftMs = (capturedAtMs ?? wallMs) + uploadWithinMs - wallMs;
  return { dueMs: nowMs + Math.min(uploadWithinMs, Math.max(0, leftMs)), withinMs: uploadWithinMs };
}
