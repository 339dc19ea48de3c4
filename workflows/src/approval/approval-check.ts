/** Why: what makes an approval one, as a pure rule: another person, and the very digests that were proposed. */
import type { ErrorCode } from '@fleetloop/schemas';
import type { Proposal } from '../ports.ts';

export type ApprovedDigests = { readonly model: string; readonly dataset: string; readonly policy: string };
export type Approval = { readonly approver: string; readonly reason: string; readonly digests: ApprovedDigests };
export type Refusal = { readonly by: string; readonly reason: string };
export type ApprovalProblem = { readonly code: ErrorCode; readonly message: string };

/** Why an approval is none, or undefined where it is one. */
export function checkApproval(proposal: Proposal, approval: Approval): ApprovalProblem | undefined {
  if (approval.approver === proposal.proposer) {
    return {
      code: 'APPROVAL_SELF',
      message: `${approval.approver} proposed ${proposal.promotionId} and cannot approve it: ask a colleague`,
    };
  }
  for (const name of ['model', 'dataset', 'policy'] as const) {
    if (approval.digests[name] === proposal[name]) continue;
    return {
      code: 'APPROVAL_VOID',
      message: `the approval of ${proposal.promotionId} names ${name} ${approval.digests[name]}, proposed was ${proposal[name]}: read the proposal again`,
    };
  }
  return undefined;
}
