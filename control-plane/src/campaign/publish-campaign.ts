/** Publishes a campaign: checked as the vehicle will check it, a fact in the ledger, and the vehicles' desired states. */
import {
  type Campaign,
  compileCondition,
  type Digest,
  FleetError,
  type JsonValue,
  parseCampaign,
} from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import type { VehicleRegistry } from '../ingest/ports.ts';
import type { Ledger, VehicleStates } from '../ports.ts';

export const CAMPAIGN_VEHICLES_MAX = 10_000;

export type CampaignRequest = {
  readonly campaign: unknown;
  readonly vehicles: readonly string[];
  readonly brief: string | null;
  readonly actor: string;
};

export type PublishedCampaign = { readonly campaign: Campaign; readonly digest: Digest; readonly sequence: number };

/**
 * The fact comes first: a vehicle never runs a campaign that the ledger does not know. Publishing the same document again
 * repeats the push and is harmless.
 * @throws FleetError CAMPAIGN_INVALID, CAMPAIGN_SYNTAX, CAMPAIGN_TYPE, CAMPAIGN_TARGET
 */
export async function publishCampaign(
  request: CampaignRequest,
  parts: { readonly ledger: Ledger; readonly vehicles: VehicleStates; readonly registry: VehicleRegistry },
): Promise<PublishedCampaign> {
  const campaign = parseCampaign(request.campaign);
  compileCondition(campaign);
  await checkTargets(campaign, request.vehicles, parts.registry);
  const digest = digestOfDocument(campaign as JsonValue);
  const vehicles = [...new Set(request.vehicles)].sort();
  const { sequences } = await parts.ledger.append([
    {
      kind: 'campaign.published',
      key: campaign.id,
      actor: request.actor,
      evidence: [digest],
      body: { campaign, digest, vehicles, brief: request.brief ?? campaign.brief ?? null },
    },
  ]);
  await parts.vehicles.pushCampaign(vehicles, campaign);
  return { campaign, digest, sequence: sequences[0] ?? 0 };
}

async function checkTargets(campaign: Campaign, vehicles: readonly string[], registry: VehicleRegistry): Promise<void> {
  if (vehicles.length === 0) throw new FleetError('CAMPAIGN_TARGET', `campaign ${campaign.id} names no vehicle`);
  const unknown: string[] = [];
  for (const vehicleId of vehicles) {
    if ((await registry.find(vehicleId)) === undefined) unknown.push(vehicleId);
  }
  if (unknown.length > 0)
    throw new FleetError(
      'CAMPAIGN_TARGET',
      `campaign ${campaign.id} names vehicles that are not enrolled: ${unknown.slice(0, 10).join(', ')}`,
    );
}
