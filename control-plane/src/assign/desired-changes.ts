/** Pure changes of a vehicle's desired state: each gives a new document with the next version, or none when nothing changes. */
import {
  type Campaign,
  canonicalJson,
  DesiredState,
  DIRECTOR_PAYLOAD_TYPE,
  DirectorTargets,
  type DsseEnvelope,
  FleetError,
  type JsonValue,
  PULLS_PER_VEHICLE_MAX,
  type PullRequest,
} from '@fleetloop/schemas';

export type TargetsRequest = {
  readonly bundle: string | null;
  readonly shadow: string | null;
  readonly rolloutId: string | null;
  readonly reason: string;
  /** RFC 3339. */
  readonly issuedAt: string;
};

/** Signs a document of a payload type; the director key stays outside of this stage. */
export type SignDocument = (payloadType: string, document: JsonValue) => DsseEnvelope;

/** The state before the first change of a vehicle. */
type Former = DesiredState | undefined;

/**
 * Adds a campaign or replaces the one of the same id. Undefined when exactly this one is there already.
 * @throws FleetError CAMPAIGN_TARGET when the vehicle has no room for another campaign
 */
export function withCampaign(vehicleId: string, former: Former, campaign: Campaign): DesiredState | undefined {
  const campaigns = former?.campaigns ?? [];
  const standing = campaigns.find((each) => each.id === campaign.id);
  if (standing !== undefined && canonicalJson(standing as JsonValue) === canonicalJson(campaign as JsonValue))
    return undefined;
  const next =
    standing === undefined
      ? [...campaigns, campaign]
      : campaigns.map((each) => (each.id === campaign.id ? campaign : each));
  const checked = DesiredState.safeParse({ ...following(vehicleId, former), campaigns: next });
  if (checked.success) return checked.data;
  throw new FleetError(
    'CAMPAIGN_TARGET',
    `vehicle ${vehicleId} has no room for campaign ${campaign.id}: it has ${campaigns.length} campaigns`,
  );
}

/** Takes a campaign out. Undefined when it is not there. */
export function withoutCampaign(former: Former, campaignId: string): DesiredState | undefined {
  if (former === undefined || !former.campaigns.some((each) => each.id === campaignId)) return undefined;
  return {
    ...following(former.vehicleId, former),
    campaigns: former.campaigns.filter((each) => each.id !== campaignId),
  };
}

/**
 * Asks for a stored time range. Undefined when this pull is there already.
 * @throws FleetError PULL_INVALID when the vehicle has no room for another pull
 */
export function withPull(vehicleId: string, former: Former, pull: PullRequest): DesiredState | undefined {
  const pulls = former?.pulls ?? [];
  if (pulls.some(({ id }) => id === pull.id)) return undefined;
  if (pulls.length >= PULLS_PER_VEHICLE_MAX)
    throw new FleetError('PULL_INVALID', `vehicle ${vehicleId} has ${pulls.length} open pulls: cancel one first`);
  return { ...following(vehicleId, former), pulls: [...pulls, pull] };
}

/** Takes a pull out. Undefined when it is not there. */
export function withoutPull(former: Former, pullId: string): DesiredState | undefined {
  if (former === undefined || !former.pulls.some(({ id }) => id === pullId)) return undefined;
  return { ...following(former.vehicleId, former), pulls: former.pulls.filter(({ id }) => id !== pullId) };
}

/** Points the vehicle at other bundles under the next counter, which never goes down: also a rollback counts up. */
export function withTargets(
  vehicleId: string,
  former: Former,
  request: TargetsRequest,
  sign: SignDocument,
): { readonly state: DesiredState; readonly counter: number } {
  const counter = (targetsOf(former)?.counter ?? 0) + 1;
  const targets = DirectorTargets.parse({ kind: 'director-targets', vehicleId, counter, ...request });
  const director = sign(DIRECTOR_PAYLOAD_TYPE, targets);
  return { state: { ...following(vehicleId, former), director }, counter };
}

/** The targets inside a desired state that we wrote ourselves. */
export function targetsOf(state: Former): DirectorTargets | undefined {
  if (state === undefined || state.director === null) return undefined;
  return DirectorTargets.parse(JSON.parse(Buffer.from(state.director.payload, 'base64').toString('utf8')));
}

function following(vehicleId: string, former: Former): DesiredState {
  if (former === undefined)
    return { kind: 'desired-state', vehicleId, version: 1, campaigns: [], director: null, pulls: [] };
  return { ...former, version: former.version + 1 };
}
