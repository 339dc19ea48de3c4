/** Why: what closing the loop touches: the anomaly's fact, the vehicles' targets and campaigns, and what arrives for the brief. */
import { type Digest, FleetError } from '@fleetloop/schemas';
import type { BriefRecordings, CatalogueRecording, FeedbackActivities, OpenAnomaly } from '@fleetloop/workflows';
import { targetsOf } from '../assign/desired-changes.ts';
import { endCampaign } from '../campaign/end-campaign.ts';
import { publishCampaign } from '../campaign/publish-campaign.ts';
import { catalogueRecordings } from '../dataset/catalogue-recordings.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { modelVersionsOf, runOfModel } from '../training/registered.ts';
import { guardActivities, withHeartbeat } from '../workflow/activity-guard.ts';
import { pause } from '../workflow/pause.ts';
import { boundedMap } from '../workflow/bounded-map.ts';

const VEHICLES_AT_ONCE = 16;
const RECORDINGS_POLL_MS = 500;

type Context = Pick<ControlPlane, 'ledger' | 'projection' | 'vehicles' | 'registry'>;

export function createFeedbackActivities(context: Context): FeedbackActivities {
  return guardActivities<FeedbackActivities>({
    findAnomaly: async ({ rolloutId }) => findAnomaly(context, rolloutId),
    async assignShadow({ vehicles, shadow, reason }) {
      await boundedMap(vehicles, VEHICLES_AT_ONCE, async (vehicleId) => {
        const targets = targetsOf(await context.vehicles.desired(vehicleId));
        if ((targets?.shadow ?? null) === shadow) return;
        const bundle = (targets?.bundle ?? null) as Digest | null;
        await context.vehicles.assign({
          vehicleId,
          bundle,
          shadow: shadow as Digest | null,
          rolloutId: targets?.rolloutId ?? null,
          reason: reason.slice(0, 1_000),
        });
      });
    },
    async publishBriefCampaign({ briefId, anomaly, owner, campaign }) {
      const campaignId = campaignIdOf(briefId);
      const known = (await context.projection.facts('campaign.published', { key: campaignId })).at(-1);
      if (known !== undefined) {
        await context.vehicles.pushCampaign(known.body.vehicles, known.body.campaign);
        return { campaignId };
      }
      const document = {
        kind: 'campaign',
        id: campaignId,
        version: 1,
        description: `moments in which ${anomaly.modelName}@${anomaly.modelVersion} is lost: ${anomaly.feature} on revision ${anomaly.hardwareRevision}`,
        owner,
        priority: 'safety',
        ...campaign,
        brief: briefId,
      };
      const published = await publishCampaign(
        { campaign: document, vehicles: anomaly.vehicles, brief: briefId, actor: owner },
        context,
      );
      await context.projection.waitFor(published.sequence);
      return { campaignId };
    },
    async endBriefCampaign({ briefId, owner, reason }) {
      const campaignId = campaignIdOf(briefId);
      const published = await context.projection.facts('campaign.published', { key: campaignId });
      const ended = await context.projection.facts('campaign.ended', { key: campaignId });
      if (published.length === 0) return;
      if (ended.length > 0) return context.vehicles.withdrawCampaign(published.at(-1)?.body.vehicles ?? [], campaignId);
      const { sequence } = await endCampaign({ campaignId, reason, actor: owner }, context);
      await context.projection.waitFor(sequence);
    },
    awaitBriefRecordings: async (input) => withHeartbeat(async ({ signal }) => awaitRecordings(context, input, signal)),
    async describeModel({ model }) {
      const run = await runOfModel(context.projection, model);
      return { featureSet: run.featureSet, trainer: run.trainer };
    },
  });
}

const campaignIdOf = (briefId: string): string => `brief-${briefId}`;

async function findAnomaly({ projection }: Context, rolloutId: string): Promise<OpenAnomaly> {
  const opened = (await projection.facts('anomaly.opened')).findLast(({ body }) => body.rolloutId === rolloutId)?.body;
  if (opened === undefined) throw new FleetError('NOT_FOUND', `rollout ${rolloutId} opened no anomaly`);
  const registered = (await modelVersionsOf(projection)).findLast((entry) => entry.model === opened.model);
  if (registered === undefined) throw new FleetError('NOT_FOUND', `no model version has the model ${opened.model}`);
  const { findings: _findings, ...anomaly } = opened;
  return { ...anomaly, modelName: registered.name, modelVersion: registered.version };
}

type Wanted = Parameters<FeedbackActivities['awaitBriefRecordings']>[0];

async function awaitRecordings(context: Context, wanted: Wanted, signal: AbortSignal): Promise<BriefRecordings> {
  let seen = -1;
  let mine: readonly CatalogueRecording[] = [];
  for (;;) {
    const applied = context.projection.appliedSequence();
    if (applied !== seen)
      mine = (await catalogueRecordings(context.projection)).filter((entry) => entry.brief === wanted.briefId);
    seen = applied;
    const unlabelled = mine.filter((entry) => entry.label === null).length;
    const enough = mine.length >= wanted.recordingsWanted && (!wanted.labelled || unlabelled === 0);
    if (enough || Date.now() >= wanted.untilMs)
      return { recordings: mine.map((entry) => entry.recording).sort(), unlabelled };
    await pause(RECORDINGS_POLL_MS, signal);
  }
}
