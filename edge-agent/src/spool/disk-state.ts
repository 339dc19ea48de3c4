/**
 * A disk that is full is a state and not an end: what is taken is narrowed in stated steps and widened again by itself. Pure: room
 * and failures go in, the state comes out. Each step is left at a higher mark than it is entered, so that it does not flutter.
 */
import type { DISK_STATES, Priority } from '@fleetloop/schemas';

export type DiskStateName = (typeof DISK_STATES)[number];

export type DiskLimits = {
  /** Most bytes of recordings. */
  readonly quotaBytes: number;
  /** Bytes of the file system that recordings leave free; safety recordings may use the upper half of them. */
  readonly reserveBytes: number;
};

export type DiskState = {
  readonly name: DiskStateName;
  /** Writing is tried again at this time, monotonic ms; undefined when the last write went well. */
  readonly retryAtMs: number | undefined;
  /** Failures in a row. */
  readonly failures: number;
};

export type DiskInput =
  | { readonly kind: 'measured'; readonly usedBytes: number; readonly freeBytes: number; readonly nowMs: number }
  /** A write failed and nothing could make room for it. */
  | { readonly kind: 'failed'; readonly nowMs: number }
  | { readonly kind: 'written' };

export const DISK_AT_START: DiskState = { name: 'normal', retryAtMs: undefined, failures: 0 };

/** First wait after a write that failed, and the longest, ms. */
export const RETRY_MS = 250;
export const RETRY_MS_MAX = 30_000;
const DOUBLINGS_MAX = 7;
/** Share of the quota that is left when old recordings begin to make room, and when they stop. */
const EVICTING_SHARE = 0.02;
const NORMAL_SHARE = 0.04;
/** Shares of the reserve that are free when a step is entered and when it is left. */
const SAFETY_ONLY_SHARE = 1;
const SAFETY_ONLY_LEFT_SHARE = 1.25;
const REFUSING_SHARE = 0.5;
const REFUSING_LEFT_SHARE = 0.75;

/** The state after something was measured or tried. */
export function stepDisk(state: DiskState, input: DiskInput, limits: DiskLimits): DiskState {
  if (input.kind === 'written') return { ...state, retryAtMs: undefined, failures: 0 };
  if (input.kind === 'failed') {
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(DOUBLINGS_MAX, state.failures));
    return { name: 'refusing', retryAtMs: input.nowMs + waitMs, failures: state.failures + 1 };
  }
  const isWaiting = state.name === 'refusing' && state.retryAtMs !== undefined && input.nowMs < state.retryAtMs;
  if (isWaiting) return state;
  return { ...state, name: nameFor(state.name, input, limits) };
}

/** Whether a recording of this priority is taken at all. */
export function isTaken(state: DiskState, priority: Priority): boolean {
  if (state.name === 'refusing') return false;
  return state.name !== 'safety-only' || priority === 'safety';
}

/**
 * Bytes that must become free before a recording of this priority is taken again; undefined when no room would help, because the
 * last write failed and the next try is not due.
 */
export function bytesUntilTaken(
  state: DiskState,
  priority: Priority,
  { freeBytes, nowMs }: { readonly freeBytes: number; readonly nowMs: number },
  { reserveBytes }: DiskLimits,
): number | undefined {
  if (isTaken(state, priority)) return 0;
  if (state.retryAtMs !== undefined && nowMs < state.retryAtMs) return undefined;
  const share = priority === 'safety' ? REFUSING_LEFT_SHARE : SAFETY_ONLY_LEFT_SHARE;
  return Math.max(1, Math.ceil(share * reserveBytes) - freeBytes);
}

function nameFor(
  before: DiskStateName,
  { usedBytes, freeBytes }: { readonly usedBytes: number; readonly freeBytes: number },
  { quotaBytes, reserveBytes }: DiskLimits,
): DiskStateName {
  const isBelow = (bytes: number, entered: number, left: number, isIn: boolean): boolean =>
    bytes < (isIn ? left : entered);
  const wasRefusing = before === 'refusing';
  if (isBelow(freeBytes, REFUSING_SHARE * reserveBytes, REFUSING_LEFT_SHARE * reserveBytes, wasRefusing))
    return 'refusing';
  const wasNarrow = wasRefusing || before === 'safety-only';
  if (isBelow(freeBytes, SAFETY_ONLY_SHARE * reserveBytes, SAFETY_ONLY_LEFT_SHARE * reserveBytes, wasNarrow))
    return 'safety-only';
  const roomBytes = Math.min(quotaBytes - usedBytes, freeBytes - reserveBytes);
  const isEvicting = isBelow(roomBytes, EVICTING_SHARE * quotaBytes, NORMAL_SHARE * quotaBytes, before !== 'normal');
  return isEvicting ? 'evicting' : 'normal';
}
