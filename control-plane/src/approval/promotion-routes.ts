/** Why: one person proposes, another approves or refuses; the caller's token says who they are, never the body. */
import { randomUUID } from 'node:crypto';
import type { Approval, PromoteModelInput, Proposal, Refusal } from '@fleetloop/workflows';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { actorOf, parseRequest } from '../api/request.ts';
import { findRegistered } from '../features/feature-registry.ts';
import { mustBeActive } from '../features/feature-use.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import { findModelVersion } from '../training/registered.ts';
import { pause } from '../workflow/pause.ts';
import { sendUpdate } from '../workflow/send-update.ts';
import { startWorkflow } from '../workflow/start-workflow.ts';
import { passedGate } from './approval-activities.ts';

const EXPIRY_MS_DEFAULT = 24 * 3_600_000;
const EXPIRY_MS_MAX = 30 * EXPIRY_MS_DEFAULT;
const PROPOSAL_TIMEOUT_MS = 15_000;
const PROPOSAL_POLL_MS = 100;
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const reason = z.string().min(1).max(4_000);

const ProposeBody = z.strictObject({
  model: z.string().max(64),
  version: z.int().min(1),
  expiresInMs: z.int().min(1_000).max(EXPIRY_MS_MAX).default(EXPIRY_MS_DEFAULT),
});
const ApproveBody = z.strictObject({
  reason,
  digests: z.strictObject({ model: digest, dataset: digest, policy: digest }),
});
const RefuseBody = z.strictObject({ reason });
const Path = z.object({ id: z.string().regex(/^pr-[a-z0-9-]{1,60}$/) });

export function registerApprovalRoutes(app: FastifyInstance, context: ControlPlane): void {
  const { temporal, config, projection } = context;
  app.post('/v1/promotions', async (request, reply) => {
    const body = parseRequest(ProposeBody, request.body);
    await passedGate(context, body.model, body.version);
    const { featureSet } = await findModelVersion(projection, body.model, body.version);
    mustBeActive(await findRegistered(projection, featureSet), `${body.model}@${body.version}`);
    const promotionId = `pr-${randomUUID().replaceAll('-', '').slice(0, 16)}`;
    const input: PromoteModelInput = { ...body, promotionId, proposer: actorOf(request) };
    await startWorkflow(temporal, 'promoteModel', {
      workflowId: `promote-${promotionId}`,
      taskQueue: config.temporal.taskQueue,
      input,
    });
    const proposal = await proposalOf(context, promotionId);
    return reply.code(202).send({ promotionId, workflowId: `promote-${promotionId}`, proposal: proposal ?? null });
  });
  app.post('/v1/promotions/:id/approve', async (request) => {
    const { id } = parseRequest(Path, request.params, 'path');
    const argument: Approval = { ...parseRequest(ApproveBody, request.body), approver: actorOf(request) };
    return sendUpdate(temporal, {
      workflowId: `promote-${id}`,
      update: 'approve',
      argument,
      absent: 'APPROVAL_NOT_PENDING',
    });
  });
  app.post('/v1/promotions/:id/refuse', async (request) => {
    const { id } = parseRequest(Path, request.params, 'path');
    const argument: Refusal = { ...parseRequest(RefuseBody, request.body), by: actorOf(request) };
    return sendUpdate(temporal, {
      workflowId: `promote-${id}`,
      update: 'refuse',
      argument,
      absent: 'APPROVAL_NOT_PENDING',
    });
  });
  app.get('/v1/promotions', async (request) => {
    const view = await projectionFor(projection, request.query);
    const approved = new Map(
      (await view.facts('promotion.approved')).map(({ at, body }) => [
        body.promotionId,
        { at, approver: body.approver, reason: body.reason },
      ]),
    );
    const refused = new Map(
      (await view.facts('promotion.refused')).map(({ at, body }) => [
        body.promotionId,
        { at, by: body.by, reason: body.reason },
      ]),
    );
    const promotions = (await view.facts('promotion.proposed')).map(({ at, body }) => {
      const [yes, no] = [approved.get(body.promotionId), refused.get(body.promotionId)];
      const state = yes !== undefined ? 'approved' : no !== undefined ? 'refused' : 'pending';
      return { ...body, at, state, approval: yes ?? null, refusal: no ?? null };
    });
    return { promotions };
  });
}

/** The proposal once its workflow has recorded it, so that it can be approved; undefined when that takes too long. */
async function proposalOf({ projection, signal }: ControlPlane, promotionId: string): Promise<Proposal | undefined> {
  const deadlineMs = Date.now() + PROPOSAL_TIMEOUT_MS;
  for (;;) {
    const proposed = (await projection.facts('promotion.proposed', { key: promotionId })).at(-1);
    if (proposed !== undefined || Date.now() >= deadlineMs) return proposed?.body;
    await pause(PROPOSAL_POLL_MS, signal);
  }
}
