/** How long to wait after a failure, by its class: full jitter, so that a fleet does not come back in step. */
import type { FleetError } from '@fleetloop/schemas';

/** permanent: never again; auth: needs a person or a new key; busy: the receiver is full; transient: the link. */
export type FailureClass = 'permanent' | 'auth' | 'busy' | 'transient';

const LIMITS_MS = {
  auth: { base: 5_000, cap: 300_000 },
  busy: { base: 1_000, cap: 60_000 },
  transient: { base: 200, cap: 30_000 },
} as const;

/** Doublings after which the cap holds anyway; keeps the power finite. */
const DOUBLINGS_MAX = 20;

/** The class of a failed publish or read. */
export function classifyFailure(error: FleetError): FailureClass {
  switch (error.code) {
    case 'UPLINK_UNAVAILABLE':
      return 'transient';
    case 'UPLINK_BUSY':
      return 'busy';
    case 'UPLINK_FORBIDDEN':
    case 'UPLINK_EXPIRED':
      return 'auth';
    default:
      return error.retryable ? 'transient' : 'permanent';
  }
}

/** Wait before attempt `attempt` (from 1), ms: between half of the step and the whole, by `jitter` in [0, 1). */
export function backoffMs(kind: Exclude<FailureClass, 'permanent'>, attempt: number, jitter: number): number {
  const { base, cap } = LIMITS_MS[kind];
  const stepMs = Math.min(cap, base * 2 ** Math.min(DOUBLINGS_MAX, Math.max(0, attempt - 1)));
  return stepMs / 2 + (stepMs / 2) * jitter;
}
