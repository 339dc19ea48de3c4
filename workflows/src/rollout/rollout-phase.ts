/** Why: which phase may follow which is a table, so that no path can promote what was aborted or forget a rollback. */
import type { ROLLOUT_PHASES } from '@fleetloop/schemas';

export type RolloutPhase = (typeof ROLLOUT_PHASES)[number];

const NEXT = {
  pending: ['progressing', 'aborted'],
  progressing: ['paused', 'degraded', 'healthy', 'aborted'],
  paused: ['progressing', 'degraded', 'aborted'],
  degraded: ['aborted'],
  aborted: ['rolled_back'],
  healthy: [],
  rolled_back: [],
} as const satisfies Record<RolloutPhase, readonly RolloutPhase[]>;

/** Whether a rollout may go from one phase to another. */
export function mayFollow(from: RolloutPhase, to: RolloutPhase): boolean {
  return (NEXT[from] as readonly RolloutPhase[]).includes(to);
}

/** The next phase. A step that the table does not have is a programmer error. */
export function advance(from: RolloutPhase, to: RolloutPhase): RolloutPhase {
  if (from === to || mayFollow(from, to)) return to;
  throw new Error(`a rollout cannot go from ${from} to ${to}`);
}
