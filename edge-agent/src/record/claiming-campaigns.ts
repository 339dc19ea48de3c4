/** The campaigns in force, and those that claim a part of a pending event, as they were when they claimed it. */
import type { Campaign } from '@fleetloop/schemas';
import type { EventWindow } from './event-windows.ts';
import type { RecordedCampaign } from './recorder-effects.ts';

const NS_PER_MS = 1_000_000n;

export class ClaimingCampaigns {
  #campaigns: readonly Campaign[] = [];
  #claiming: readonly Campaign[] = [];
  #preNsMax = 0n;

  /** The longest pre-window of all of them. */
  get preNsMax(): bigint {
    return this.#preNsMax;
  }

  /** Others are in force from now on. */
  replace(campaigns: readonly Campaign[]): void {
    this.#campaigns = campaigns;
    this.#measure();
  }

  claim(campaign: Campaign): void {
    if (!this.#claiming.includes(campaign)) this.#claiming = [...this.#claiming, campaign];
    this.#measure();
  }

  /** Forgets claims of campaigns that have no part in these events. */
  keepOnly(pending: readonly EventWindow[]): void {
    const draining = campaignsIn(pending);
    this.#claiming = this.#claiming.filter((campaign) => draining.has(campaign.id));
    this.#measure();
  }

  of(window: EventWindow): readonly RecordedCampaign[] {
    return window.campaignIds.flatMap((id) => this.#claiming.filter((campaign) => campaign.id === id));
  }

  #measure(): void {
    const campaigns = [...this.#campaigns, ...this.#claiming];
    this.#preNsMax = BigInt(Math.max(0, ...campaigns.map((campaign) => campaign.preWindowMs))) * NS_PER_MS;
  }
}

export const campaignsIn = (pending: readonly EventWindow[]): ReadonlySet<string> =>
  new Set(pending.flatMap((event) => event.campaignIds));
