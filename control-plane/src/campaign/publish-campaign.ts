/** Publishes a campaign: checked as the vehicle will check it, a fact in the ledger, and the vehicles' desired states. */
import {
  type Campaign,
  type Digest,
  FleetError,
  type JsonValue,
  parseCampaign,
  type VehicleAttributes,
} from '@fleetloop/schemas';
import { assertCampaignTests, compileCampaign } from '@fleetloop/schemas/trigger';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import type { VehicleRegistry } from '../ingest/ports.ts';
import type { Ledger, Projection, VehicleStates } from '../ports.ts';

export const CAMPAIGN_VEHICLES_MAX = 10_000;

export type CampaignRequest = {
  readonly campaign: unknown;
  readonly vehicles: readonly string[];
  readonly brief: string | null;
  readonly actor: string;
};

export type PublishParts = {
  readonly ledger: Ledger;
  readonly vehicles: VehicleStates;
  readonly registry: VehicleRegistry;
  readonly projection: Projection;
};

export type PublishedCampaign = { readonly campaign: Campaign; readonly digest: Digest; readonly sequence: number };

/**
 * The fact comes first: a vehicle never runs a campaign that the ledger does not know. Publishing the same document again
 * repeats the push and is harmless.
 * @throws FleetError CAMPAIGN_INVALID, CAMPAIGN_SYNTAX, CAMPAIGN_TYPE, CAMPAIGN_COST, CAMPAIGN_TEST, CAMPAIGN_TARGET, SIGNAL_UNKNOWN, UNIT_UNKNOWN
 */
export async function publishCampaign(request: CampaignRequest, parts: PublishParts): Promise<PublishedCampaign> {
  const campaign = parseCampaign(request.campaign);
  await checkTargets(campaign, request.vehicles, parts.registry);
  for (const attributes of await distinctAttributes(request.vehicles, parts.projection)) {
    compileCampaign(campaign, attributes);
    assertCampaignTests(campaign, attributes);
  }
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
    const vehicle = await registry.find(vehicleId);
    if (vehicle === undefined || vehicle.isRevoked) unknown.push(vehicleId);
  }
  if (unknown.length > 0)
    throw new FleetError(
      'CAMPAIGN_TARGET',
      `campaign ${campaign.id} names vehicles that are not enrolled or revoked: ${unknown.slice(0, 10).join(', ')}`,
    );
}

/** What vehicles say of themselves in their enrolment, each combination once: a campaign may compile for one and not for another. */
async function distinctAttributes(
  vehicles: readonly string[],
  projection: Projection,
): Promise<readonly VehicleAttributes[]> {
  const rows = await projection.query(
    `SELECT DISTINCT hardware_revision, software_version, place FROM vehicles
     WHERE vehicle_id IN (SELECT unnest(from_json($vehicles, '["VARCHAR"]')))`,
    { vehicles: JSON.stringify(vehicles) },
  );
  return rows.map((row) => ({
    hardwareRevision: String(row['hardware_revision']),
    softwareVersion: String(row['software_version']),
    place: String(row['place']),
  }));
}
