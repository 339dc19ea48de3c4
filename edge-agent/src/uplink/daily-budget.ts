/**
 * Bytes per day, counted on the monotonic clock, so that a step of the wall clock gives no second budget. Only the time
 * between two runs of the process has to come from the wall clock, and there the same moment never counts twice: what
 * counts is how far it has gone beyond the latest time that was ever seen.
 */
import { assertNever, type Priority } from '@fleetloop/schemas';

export const DAY_MS = 86_400_000;

export type DailyLimits = {
  /** null is no limit. */
  readonly dailyBytes: number | null;
  /** Most unused bytes of one day that are added to the next. */
  readonly carryBytes: number;
  readonly safetyReserveBytes: number;
  readonly normalReserveBytes: number;
};

export type DailyBudget = {
  /** Bytes sent in the day that runs. */
  readonly usedBytes: number;
  /** Unused bytes of the day before that were added. */
  readonly carriedBytes: number;
  /** How much of the day has passed. */
  readonly elapsedMs: number;
};

export const FRESH_DAY: DailyBudget = { usedBytes: 0, carriedBytes: 0, elapsedMs: 0 };

/** The budget after some time; a day that is over hands on what it may carry. */
export function passTime(budget: DailyBudget, limits: DailyLimits, passedMs: number): DailyBudget {
  const totalMs = budget.elapsedMs + Math.max(0, passedMs);
  const days = Math.floor(totalMs / DAY_MS);
  if (days === 0) return { ...budget, elapsedMs: totalMs };
  const left = days > 1 ? (limits.dailyBytes ?? 0) : leftBytes(budget, limits);
  return { usedBytes: 0, carriedBytes: Math.min(limits.carryBytes, left), elapsedMs: totalMs % DAY_MS };
}

/** Bytes that nobody has used today. */
function leftBytes(budget: DailyBudget, limits: DailyLimits): number {
  return Math.max(0, (limits.dailyBytes ?? 0) + budget.carriedBytes - budget.usedBytes);
}

/** Bytes that a priority may still send today; infinite without a limit. */
export function leftFor(budget: DailyBudget, limits: DailyLimits, priority: Priority): number {
  if (limits.dailyBytes === null) return Number.POSITIVE_INFINITY;
  return Math.max(0, leftBytes(budget, limits) - reservedAgainst(limits, priority));
}

function reservedAgainst(limits: DailyLimits, priority: Priority): number {
  switch (priority) {
    case 'safety':
      return 0;
    case 'normal':
      return limits.safetyReserveBytes;
    case 'bulk':
      return limits.safetyReserveBytes + limits.normalReserveBytes;
    default:
      return assertNever(priority);
  }
}

/** How much of the time between two runs may count. `seenMs` is the latest wall time that was ever seen. */
export function timeWhileOffMs(seenMs: number, nowMs: number): number {
  return Math.max(0, nowMs - seenMs);
}
