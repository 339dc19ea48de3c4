/** How far a campaign has come, vehicle by vehicle, as the vehicles themselves report it. */
import { type Campaign, FleetError, type ReportedState } from '@fleetloop/schemas';
import type { Projection, VehicleStates } from '../ports.ts';

/** Vehicles whose reports are read at once. */
const READS_AT_ONCE = 32;

export type VehicleCampaignState = {
  readonly vehicleId: string;
  /** As reported; `silent` while the vehicle has not reported this version. */
  readonly state: ReportedState['campaigns'][number]['state'] | 'silent';
  readonly code: string | null;
  readonly reason: string | null;
  /** Last report of the vehicle, whatever it says of this campaign. */
  readonly reportedAt: string | null;
};

export type CampaignView = {
  readonly campaign: Campaign;
  readonly digest: string;
  readonly brief: string | null;
  readonly at: string;
  readonly actor: string;
  /** When and why it was ended after this version was published; null while it runs. */
  readonly ended: { readonly at: string; readonly actor: string; readonly reason: string } | null;
  readonly vehicles: readonly VehicleCampaignState[];
};

/** @throws FleetError NOT_FOUND for a campaign that was never published */
export async function showCampaign(
  campaignId: string,
  parts: { readonly projection: Projection; readonly vehicles: VehicleStates },
): Promise<CampaignView> {
  const { projection } = parts;
  const [published] = await projection.facts('campaign.published', { key: campaignId });
  if (published === undefined) throw new FleetError('NOT_FOUND', `there is no campaign ${campaignId}`);
  const [end] = await projection.facts('campaign.ended', { key: campaignId });
  const isEnded = end !== undefined && end.sequence > published.sequence;
  const { campaign, digest, brief, vehicles } = published.body;
  return {
    campaign,
    digest,
    brief,
    at: published.at,
    actor: published.actor,
    ended: isEnded ? { at: end.at, actor: end.actor, reason: end.body.reason } : null,
    vehicles: await statesOf(vehicles, campaign, parts.vehicles),
  };
}

async function statesOf(
  vehicles: readonly string[],
  campaign: Campaign,
  states: VehicleStates,
): Promise<readonly VehicleCampaignState[]> {
  const found: VehicleCampaignState[] = [];
  for (let start = 0; start < vehicles.length; start += READS_AT_ONCE) {
    const group = vehicles.slice(start, start + READS_AT_ONCE);
    found.push(...(await Promise.all(group.map(async (id) => stateOf(id, campaign, await states.reported(id))))));
  }
  return found;
}

function stateOf(vehicleId: string, campaign: Campaign, reported: ReportedState | undefined): VehicleCampaignState {
  const own = reported?.campaigns.find(({ id, version }) => id === campaign.id && version === campaign.version);
  return {
    vehicleId,
    state: own?.state ?? 'silent',
    code: own?.code ?? null,
    reason: own?.reason ?? null,
    reportedAt: reported?.at ?? null,
  };
}
