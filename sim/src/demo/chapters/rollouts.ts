/** Chapter 5: a promotion by two people, then a rollout in waves that the control plane watches by itself. */
import type { FactBody } from '@fleetloop/schemas';
import type { RolloutResult } from '@fleetloop/workflows';
import { FLEET } from '../../world/fleet-plan.ts';
import { waitUntil } from '../../world/wait-until.ts';
import type { DemoContext } from '../demo-context.ts';
import type { Summary } from '../summary.ts';
import { followWorkflow } from '../workflow-steps.ts';
import { MODEL } from './training.ts';

const ROLLOUT_TIMEOUT_MS = 240_000;
const APPROVAL_TIMEOUT_MS = 60_000;
/** A canary of one, a wave over both hardware revisions, then the rest, who are the control group until then. */
export const WAVES = [['vehicle-1'], ['vehicle-2', 'vehicle-4', 'vehicle-5'], ['vehicle-3', 'vehicle-6']] as const;
/** The demo's roads run at 60 times real time, so that looks can be frequent. */
export const HEALTH = { lookEveryMs: 1_000 };

type Promotion = FactBody<'promotion.proposed'> & { readonly state: 'pending' | 'approved' | 'refused' };

/** The ml-engineer proposes, the safety-engineer approves: two people, bound to the same digests. Returns when the bundle is built. */
export async function promote(context: DemoContext, version: number): Promise<void> {
  const api = context.fleet.controlPlane.as('ml-engineer');
  const { promotionId, workflowId } = await api.post<{ promotionId: string; workflowId: string }>('/v1/promotions', {
    model: MODEL,
    version,
  });
  await approve(context, (promotion) => promotion.promotionId === promotionId, context.signal);
  await followWorkflow(api, workflowId, { timeoutMs: APPROVAL_TIMEOUT_MS, signal: context.signal });
}

/** The second person waits for a promotion and approves exactly the digests that it names. */
export async function approve(
  { fleet }: DemoContext,
  isAwaited: (promotion: Promotion) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const api = fleet.controlPlane.as('safety-engineer');
  const { promotionId, model, dataset, policy } = await waitUntil(
    async () => {
      const { promotions } = await api.get<{ promotions: readonly Promotion[] }>('/v1/promotions');
      return promotions.find((promotion) => promotion.state === 'pending' && isAwaited(promotion));
    },
    { what: 'a promotion to approve', timeoutMs: ROLLOUT_TIMEOUT_MS, signal },
  );
  await api.post(`/v1/promotions/${promotionId}/approve`, {
    reason: 'the gate passed on every required slice',
    digests: { model, dataset, policy },
  });
}

/** Rolls a promoted version out and waits until it has ended by itself; nobody here aborts or rolls back. */
export async function rollOut(context: DemoContext, version: number): Promise<RolloutResult> {
  const api = context.fleet.controlPlane.as('fleet-operator');
  const order = { model: MODEL, version, waves: WAVES, health: HEALTH };
  const { workflowId } = await api.post<{ rolloutId: string; workflowId: string }>('/v1/rollouts', order);
  return followWorkflow<RolloutResult>(api, workflowId, {
    timeoutMs: ROLLOUT_TIMEOUT_MS,
    signal: context.signal,
    onStep: context.narrator.line,
  });
}

export function rolloutFigures(name: string, outcome: RolloutResult): Summary['rollouts'][number] {
  const { rolloutId, phase, updated, rolledBack, seconds, rollbackSeconds } = outcome;
  const vehicles = FLEET.map((plan) => plan.vehicleId);
  return {
    name,
    rolloutId,
    outcome: phase,
    vehicles,
    updated: [...updated],
    rolledBack: [...rolledBack],
    seconds,
    rollbackSeconds,
  };
}
