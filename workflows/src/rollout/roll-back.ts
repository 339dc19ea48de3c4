/** Why: rolling back is a first-class act: new targets with a higher counter that name the former bundle, and a report from each vehicle. */
import { proxyActivities } from '@temporalio/workflow';
import { ROLLBACK_STEP, WAITING_STEP } from '../flow/activity-options.ts';
import type { ReportStep } from '../flow/progress.ts';
import type { LedgerActivities, RolloutActivities } from '../ports.ts';
import type { HealthRules } from './health-rules.ts';
import { actionFact, type RolloutScribe } from './rollout-facts.ts';

const acting = proxyActivities<RolloutActivities & LedgerActivities>(ROLLBACK_STEP);
const waiting = proxyActivities<RolloutActivities>(WAITING_STEP);

export type RollBackInput = {
  readonly scribe: RolloutScribe;
  /** Every vehicle that was assigned the new bundle, in any wave. */
  readonly touched: readonly string[];
  readonly health: HealthRules;
  /** State of each vehicle's share, written as it changes. */
  readonly actions: Record<string, string>;
  readonly report: ReportStep;
};

/** Sends every touched vehicle back to its former bundle and waits until it has confirmed, or the deadline has passed. */
export async function rollBack(
  input: RollBackInput,
): Promise<{ readonly rolledBack: readonly string[]; readonly silent: readonly string[] }> {
  const { scribe, touched, actions } = input;
  if (touched.length === 0) return { rolledBack: [], silent: [] };
  input.report('roll back', 'running', touched.join(', '));
  const reason = `roll back of ${scribe.rolloutId}`;
  const assignments = touched.map((vehicleId) => ({
    vehicleId,
    bundle: scribe.plan.former[vehicleId] ?? null,
    shadow: null,
  }));
  const counters = await acting.assignVehicles({ assignments, rolloutId: scribe.rolloutId, reason });
  const base = assignments.map(({ vehicleId, bundle }) => ({ vehicleId, bundle, counter: counters[vehicleId] ?? 0 }));
  for (const { vehicleId } of base) actions[vehicleId] = 'rolling_back';
  await acting.recordFacts(base.map((action) => actionFact(scribe, { ...action, state: 'rolling_back', reason })));
  const outcomes = await waiting.awaitVehicles({
    vehicles: base,
    untilMs: Date.now() + input.health.rollbackTimeoutMs,
  });
  const states = outcomes.map((outcome) => ({ ...outcome, isBack: outcome.state === 'confirmed' }));
  for (const { vehicleId, isBack } of states) actions[vehicleId] = isBack ? 'rolled_back' : 'silent';
  await acting.recordFacts(
    base.map((action) => {
      const outcome = states.find((entry) => entry.vehicleId === action.vehicleId);
      return actionFact(scribe, {
        ...action,
        state: outcome?.isBack === true ? 'rolled_back' : 'silent',
        reason: outcome?.reason ?? 'no report',
      });
    }),
  );
  const rolledBack = states.filter((entry) => entry.isBack).map((entry) => entry.vehicleId);
  const silent = touched.filter((vehicle) => !rolledBack.includes(vehicle));
  input.report(
    'roll back',
    silent.length === 0 ? 'done' : 'failed',
    `${rolledBack.length} of ${touched.length} vehicles confirmed on the former bundle`,
  );
  return { rolledBack, silent };
}
