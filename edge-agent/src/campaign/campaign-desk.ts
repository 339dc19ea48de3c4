/** Puts campaigns into force without disturbing what others have begun, and knows what became of each. */
import { type Campaign, FleetError, type ReportedState } from '@fleetloop/schemas';
import { refuseCampaign, type RefusedCampaign } from '../assign/desired-document.ts';
import type { EventRecorder } from '../record/event-recorder.ts';
import { type CompiledCampaign, compileCampaign } from '../trigger/compiled-campaign.ts';
import type { TriggerEvaluator } from '../trigger/trigger-evaluator.ts';

export type CampaignReport = ReportedState['campaigns'][number];

export class CampaignDesk {
  readonly #evaluator: TriggerEvaluator;
  readonly #recorder: EventRecorder;
  #active: readonly Campaign[] = [];
  #refused: readonly RefusedCampaign[] = [];
  /** Versions of campaigns that were taken away and may still wait for a post-window. */
  #former = new Map<string, number>();

  constructor(evaluator: TriggerEvaluator, recorder: EventRecorder) {
    this.#evaluator = evaluator;
    this.#recorder = recorder;
  }

  get refused(): readonly RefusedCampaign[] {
    return this.#refused;
  }

  /** Replaces the campaigns by those that compile; the others are refused, each by itself. */
  apply(campaigns: readonly Campaign[], refusedBefore: readonly RefusedCampaign[] = []): void {
    const compiled: CompiledCampaign[] = [];
    const refused = [...refusedBefore];
    for (const campaign of campaigns) {
      try {
        compiled.push(compileCampaign(campaign));
      } catch (error) {
        refused.push(refuseCampaign(campaign, FleetError.from(error, 'CAMPAIGN_INVALID')));
      }
    }
    const active = compiled.map((each) => each.campaign);
    const ids = new Set(active.map((campaign) => campaign.id));
    const leaving = this.#active
      .filter((campaign) => !ids.has(campaign.id))
      .map((campaign): [string, number] => [campaign.id, campaign.version]);
    this.#former = new Map(
      [...this.#former, ...leaving].filter(([id]) => !ids.has(id) && this.#recorder.drainingCampaigns().has(id)),
    );
    this.#active = active;
    this.#refused = refused;
    this.#evaluator.setCampaigns(compiled);
    this.#recorder.setCampaigns(active);
  }

  report(): CampaignReport[] {
    const draining = this.#recorder.drainingCampaigns();
    return [
      ...this.#active.map(({ id, version }): CampaignReport => ({ id, version, state: 'active' })),
      ...[...this.#former]
        .filter(([id]) => draining.has(id))
        .map(([id, version]): CampaignReport => ({ id, version, state: 'draining' })),
      ...this.#refused.map(
        ({ id, version, code, reason }): CampaignReport => ({ id, version, state: 'refused', code, reason }),
      ),
    ];
  }
}
