/** /v1/campaigns: publish a campaign to vehicles, end it, and list the campaigns. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { clientGone } from '../api/client-gone.ts';
import { actorOf, parseRequest } from '../api/request.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { projectionFor } from '../projection/as-of.ts';
import { showCampaign } from './campaign-progress.ts';
import { endCampaign } from './end-campaign.ts';
import { CAMPAIGN_VEHICLES_MAX, publishCampaign } from './publish-campaign.ts';
import { setSuspended } from './suspend-campaign.ts';

const CampaignBody = z.strictObject({
  campaign: z.unknown(),
  vehicles: z.array(z.string()).max(CAMPAIGN_VEHICLES_MAX),
  brief: z.string().max(64).nullable().default(null),
});

const CampaignPath = z.object({ id: z.string().max(64) });
const EndBody = z.strictObject({ reason: z.string().max(1_000).default('') });

export function registerCampaignRoutes(
  app: FastifyInstance,
  context: Pick<ControlPlane, 'ledger' | 'vehicles' | 'registry' | 'projection'>,
): void {
  app.post('/v1/campaigns', async (request, reply) => {
    const body = parseRequest(CampaignBody, request.body);
    const published = await publishCampaign({ ...body, actor: actorOf(request) }, context);
    await context.projection.waitFor(published.sequence, clientGone(reply));
    return reply.code(201).send({ digest: published.digest, sequence: published.sequence });
  });
  app.post('/v1/campaigns/:id/end', async (request, reply) => {
    const { id } = parseRequest(CampaignPath, request.params, 'path');
    const { reason } = parseRequest(EndBody, request.body ?? {});
    const { sequence } = await endCampaign({ campaignId: id, reason, actor: actorOf(request) }, context);
    await context.projection.waitFor(sequence, clientGone(reply));
    return { sequence };
  });
  for (const [verb, isSuspended] of [
    ['suspend', true],
    ['resume', false],
  ] as const) {
    app.post(`/v1/campaigns/:id/${verb}`, async (request, reply) => {
      const { id: campaignId } = parseRequest(CampaignPath, request.params, 'path');
      const { sequence, digest } = await setSuspended({ campaignId, isSuspended, actor: actorOf(request) }, context);
      await context.projection.waitFor(sequence, clientGone(reply));
      return { digest, sequence };
    });
  }
  app.get('/v1/campaigns/:id', async (request) => {
    const { id } = parseRequest(CampaignPath, request.params, 'path');
    return showCampaign(id, context);
  });
  app.get('/v1/campaigns', async (request) => {
    const facts = await (await projectionFor(context.projection, request.query)).facts('campaign.published');
    return { campaigns: facts.map(({ body, at, actor }) => ({ ...body, at, actor })) };
  });
}
