/** Reads a desired state so that one bad campaign is refused by itself and does not take the others with it. */
import {
  type Campaign,
  DesiredState,
  type DsseEnvelope,
  FleetError,
  parseCampaign,
  PullRequest,
} from '@fleetloop/schemas';
import { z } from 'zod';

const CAMPAIGNS_MAX = 64;
const PULLS_MAX = 64;
const Tolerant = DesiredState.extend({
  campaigns: z.array(z.unknown()).max(CAMPAIGNS_MAX),
  pulls: z.array(z.unknown()).max(PULLS_MAX).default([]),
});

export type RefusedCampaign = {
  readonly id: string;
  readonly version: number;
  readonly code: string;
  readonly reason: string;
};

export type DesiredDocument = {
  readonly version: number;
  readonly campaigns: readonly Campaign[];
  readonly refused: readonly RefusedCampaign[];
  readonly director: DsseEnvelope | null;
  /** Those that are valid; the cloud sees the others as never received. */
  readonly pulls: readonly PullRequest[];
};

/**
 * @throws FleetError REQUEST_INVALID when the document as a whole is not valid or speaks for another vehicle
 */
export function parseDesired(text: string, vehicleId: string): DesiredDocument {
  const parsed = Tolerant.safeParse(parseJson(text));
  if (!parsed.success)
    throw new FleetError('REQUEST_INVALID', `the desired state is not valid: ${z.prettifyError(parsed.error)}`);
  const { version, director } = parsed.data;
  if (parsed.data.vehicleId !== vehicleId) {
    throw new FleetError(
      'REQUEST_INVALID',
      `the desired state is for vehicle ${parsed.data.vehicleId} and not for ${vehicleId}`,
    );
  }
  const campaigns: Campaign[] = [];
  const refused: RefusedCampaign[] = [];
  for (const candidate of parsed.data.campaigns) {
    try {
      const campaign = parseCampaign(candidate);
      if (campaigns.some((each) => each.id === campaign.id))
        throw new FleetError('CAMPAIGN_INVALID', `campaign ${campaign.id} is listed twice`);
      campaigns.push(campaign);
    } catch (error) {
      refused.push(refuseCampaign(candidate, FleetError.from(error, 'CAMPAIGN_INVALID')));
    }
  }
  const pulls = parsed.data.pulls.flatMap((candidate) => PullRequest.safeParse(candidate).data ?? []);
  return { version, campaigns, refused, director, pulls };
}

/** The refusal of a campaign, as it is reported. */
export function refuseCampaign(candidate: unknown, error: FleetError): RefusedCampaign {
  const named = typeof candidate === 'object' && candidate !== null ? candidate : {};
  const id = 'id' in named && typeof named.id === 'string' ? named.id.slice(0, 64) : '';
  const version = 'version' in named && Number.isSafeInteger(named.version) ? Number(named.version) : 0;
  return { id, version, code: error.code, reason: error.message.slice(0, 2_000) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FleetError('REQUEST_INVALID', 'the desired state is not JSON', { cause });
  }
}
