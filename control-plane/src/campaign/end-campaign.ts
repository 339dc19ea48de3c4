/** Ends a campaign: a fact, and the campaign leaves the desired state of its vehicles. What it has captured is not touched. */
import { FleetError } from '@fleetloop/schemas';
import type { Ledger, Projection, VehicleStates } from '../ports.ts';

export type EndRequest = { readonly campaignId: string; readonly reason: string; readonly actor: string };
type Parts = { readonly ledger: Ledger; readonly projection: Projection; readonly vehicles: VehicleStates };

/**
 * The fact comes first, as it does when a campaign is published; ending one again repeats the withdrawal and is harmless.
 * @throws FleetError NOT_FOUND for a campaign that was never published
 */
export async function endCampaign(request: EndRequest, parts: Parts): Promise<{ readonly sequence: number }> {
  const { campaignId, reason, actor } = request;
  const published = await parts.projection.facts('campaign.published', { key: campaignId, every: true });
  if (published.length === 0) throw new FleetError('NOT_FOUND', `there is no campaign ${campaignId}`);
  const vehicles = [...new Set(published.flatMap(({ body }) => body.vehicles))].sort();
  const { sequences } = await parts.ledger.append([
    { kind: 'campaign.ended', key: campaignId, actor, body: { campaignId, vehicles, reason } },
  ]);
  await parts.vehicles.withdrawCampaign(vehicles, campaignId);
  return { sequence: sequences[0] ?? 0 };
}
