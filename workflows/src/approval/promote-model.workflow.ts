/**
 * Why: a model goes on the road only when a second person says so about exactly these digests. The workflow holds the
 * proposal open, refuses approvals that are not one, and builds the bundle when there is one.
 */
import { assertNever, type NewFact } from '@fleetloop/schemas';
import { allHandlersFinished, condition, defineUpdate, proxyActivities, setHandler } from '@temporalio/workflow';
import { LONG_STEP, MIRROR_STEP, SHORT_STEP } from '../flow/activity-options.ts';
import { flowFailure, reasonOf } from '../flow/failure.ts';
import { type ReportStep, trackProgress } from '../flow/progress.ts';
import type { ApprovalActivities, LedgerActivities, MlflowActivities, Proposal } from '../ports.ts';
import { type Approval, checkApproval, type Refusal } from './approval-check.ts';

export type PromoteModelInput = {
  readonly promotionId: string;
  readonly model: string;
  readonly version: number;
  readonly proposer: string;
  readonly expiresInMs: number;
};

export type PromotionOutcome =
  | {
      readonly state: 'approved';
      readonly bundle: string;
      readonly model: string;
      readonly modelName: string;
      readonly modelVersion: number;
      readonly approver: string;
    }
  | { readonly state: 'refused'; readonly by: string; readonly reason: string }
  | { readonly state: 'expired' };

type Decision =
  | { readonly kind: 'approve'; readonly approval: Approval }
  | { readonly kind: 'refuse'; readonly refusal: Refusal };

export const approveUpdate = defineUpdate<{ readonly promotionId: string }, [Approval]>('approve');
export const refuseUpdate = defineUpdate<{ readonly promotionId: string }, [Refusal]>('refuse');

const short = proxyActivities<ApprovalActivities & LedgerActivities>(SHORT_STEP);
const long = proxyActivities<ApprovalActivities>(LONG_STEP);
const mirror = proxyActivities<MlflowActivities>(MIRROR_STEP);

/** Proposes a promotion, waits for a decision until it expires, and builds the bundle of an approved model. */
export async function promoteModel(input: PromoteModelInput): Promise<PromotionOutcome> {
  const report = trackProgress();
  const desk = openDesk();
  report('propose', 'running');
  const expiresAt = new Date(Date.now() + input.expiresInMs).toISOString();
  const proposal = await short.proposePromotion({ ...input, expiresAt });
  desk.proposal = proposal;
  report('propose', 'done', `${input.model}@${input.version} by ${input.proposer}, until ${expiresAt}`);
  report('approval', 'waiting', 'an approval or a refusal by somebody else');
  const decided = await condition(() => desk.decision !== undefined, input.expiresInMs);
  const outcome =
    decided && desk.decision !== undefined
      ? await carryOut(proposal, desk.decision, desk, report)
      : await expire(proposal, report);
  desk.closed = true;
  await condition(allHandlersFinished);
  return outcome;
}

/** What the update handlers and the workflow share. */
type Desk = { proposal: Proposal | undefined; decision: Decision | undefined; recorded: boolean; closed: boolean };

function openDesk(): Desk {
  const desk: Desk = { proposal: undefined, decision: undefined, recorded: false, closed: false };
  const decide = async (decision: Decision): Promise<{ readonly promotionId: string }> => {
    // Whoever reads the ledger may see the proposal a moment before this workflow does.
    await condition(() => desk.proposal !== undefined || desk.closed);
    refuseUnlessPending(desk, decision);
    desk.decision = decision;
    await condition(() => desk.recorded || desk.closed);
    return { promotionId: desk.proposal?.promotionId ?? '' };
  };
  setHandler(approveUpdate, async (approval) => decide({ kind: 'approve', approval }), {
    validator: (approval) => {
      if (desk.proposal !== undefined) refuseUnlessPending(desk, { kind: 'approve', approval });
    },
  });
  setHandler(refuseUpdate, async (refusal) => decide({ kind: 'refuse', refusal }), {
    validator: (refusal) => {
      if (desk.proposal !== undefined) refuseUnlessPending(desk, { kind: 'refuse', refusal });
    },
  });
  return desk;
}

/** Checked when a decision arrives, and again when it is taken: another one may have come first. */
function refuseUnlessPending(desk: Desk, decision: Decision): void {
  if (desk.proposal === undefined || desk.decision !== undefined || desk.closed) {
    throw flowFailure('APPROVAL_NOT_PENDING', 'this promotion does not wait for a decision: it is decided or expired');
  }
  const problem = decision.kind === 'approve' ? checkApproval(desk.proposal, decision.approval) : undefined;
  if (problem !== undefined) throw flowFailure(problem.code, problem.message);
}

async function carryOut(
  proposal: Proposal,
  decision: Decision,
  desk: Desk,
  report: ReportStep,
): Promise<PromotionOutcome> {
  switch (decision.kind) {
    case 'refuse': {
      await short.recordFacts([refusedFact(proposal, decision.refusal)]);
      desk.recorded = true;
      report('approval', 'done', `refused by ${decision.refusal.by}: ${decision.refusal.reason}`);
      return { state: 'refused', ...decision.refusal };
    }
    case 'approve': {
      await short.recordFacts([approvedFact(proposal, decision.approval)]);
      desk.recorded = true;
      report('approval', 'done', `approved by ${decision.approval.approver}: ${decision.approval.reason}`);
      return release(proposal, decision.approval.approver, report);
    }
    default:
      return assertNever(decision);
  }
}

async function release(proposal: Proposal, approver: string, report: ReportStep): Promise<PromotionOutcome> {
  report('bundle', 'running');
  const { bundle } = await long.buildModelBundle({ proposal, actor: approver });
  report('bundle', 'done', bundle);
  const { model, modelName, modelVersion } = proposal;
  try {
    await mirror.moveChampion({ model: modelName, version: modelVersion });
    report('champion in MLflow', 'done');
  } catch (error) {
    const { code, message } = reasonOf(error);
    report('champion in MLflow', 'failed', `${code}: ${message}`);
  }
  return { state: 'approved', bundle, model, modelName, modelVersion, approver };
}

async function expire(proposal: Proposal, report: ReportStep): Promise<PromotionOutcome> {
  const refusal = { by: 'fleetloop', reason: `nobody decided until ${proposal.expiresAt}` };
  await short.recordFacts([refusedFact(proposal, refusal)]);
  report('approval', 'failed', refusal.reason);
  return { state: 'expired' };
}

function approvedFact(proposal: Proposal, approval: Approval): NewFact {
  const { promotionId, model, dataset, policy } = proposal;
  const body = { promotionId, model, dataset, policy, approver: approval.approver, reason: approval.reason };
  return {
    kind: 'promotion.approved',
    key: promotionId,
    actor: approval.approver,
    reason: approval.reason,
    evidence: [model, dataset, policy],
    body,
  };
}

function refusedFact(proposal: Proposal, refusal: Refusal): NewFact {
  const { promotionId, model } = proposal;
  return {
    kind: 'promotion.refused',
    key: promotionId,
    actor: refusal.by,
    reason: refusal.reason,
    evidence: [model],
    body: { promotionId, model, ...refusal },
  };
}
