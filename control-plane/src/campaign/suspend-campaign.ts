/** Suspends a campaign, or takes that back: the same document with another flag, pushed to the same vehicles. */
import { FleetError } from '@fleetloop/schemas';
import { type PublishedCampaign, type PublishParts, publishCampaign } from './publish-campaign.ts';

/** @throws FleetError NOT_FOUND, REQUEST_INVALID for a campaign that was ended */
export async function setSuspended(
  request: { readonly campaignId: string; readonly isSuspended: boolean; readonly actor: string },
  parts: PublishParts,
): Promise<PublishedCampaign> {
  const { campaignId, isSuspended, actor } = request;
  const [published] = await parts.projection.facts('campaign.published', { key: campaignId });
  if (published === undefined) throw new FleetError('NOT_FOUND', `there is no campaign ${campaignId}`);
  const [end] = await parts.projection.facts('campaign.ended', { key: campaignId });
  if (end !== undefined && end.sequence > published.sequence)
    throw new FleetError('REQUEST_INVALID', `campaign ${campaignId} was ended: publish it again instead`);
  const { suspended: _, ...campaign } = published.body.campaign;
  const { vehicles, brief } = published.body;
  return publishCampaign(
    { campaign: isSuspended ? { ...campaign, suspended: true } : campaign, vehicles, brief, actor },
    parts,
  );
}
