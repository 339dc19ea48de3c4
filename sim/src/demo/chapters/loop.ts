/** Chapter 6: the anomaly becomes a brief, a campaign, recordings, a dataset, a model and a permanent regression case. */
import type { ApiClient } from '@fleetloop/control-plane';
import type { FactBody } from '@fleetloop/schemas';
import type { CloseLoopResult } from '@fleetloop/workflows';
import { borealtcRuns } from '../../recordings/recordings.ts';
import { runDrive } from '../../world/fleet-plan.ts';
import { type Road, slotStart } from '../../world/road.ts';
import { waitUntil } from '../../world/wait-until.ts';
import type { DemoContext } from '../demo-context.ts';
import { followWorkflow } from '../workflow-steps.ts';
import { campaignActive, listRecordings } from './capture.ts';
import { readDocument } from './datasets.ts';
import { approve, HEALTH, WAVES } from './rollouts.ts';
import { MODEL, SEED } from './training.ts';

const LOOP_TIMEOUT_MS = 300_000;
/** A mean squared z-score that no window of the training distribution reaches. */
const FAR = '20.0';

export type LoopOptions = {
  /** The rollout that failed. */
  readonly rolloutId: string;
  /** Where on the fleet's clock the drives for the brief begin. */
  readonly firstSlot: number;
  /** What the fleet drives on while the fix is rolled out. */
  readonly road: Road;
};

/** Starts the feedback workflow and plays the world around it: vehicles that drive, an annotator, an approver. */
export async function closeLoop(context: DemoContext, options: LoopOptions): Promise<CloseLoopResult> {
  const api = context.fleet.controlPlane.as('ml-engineer');
  const started = await api.post<{ workflowId: string; briefId: string; promotionId: string }>(
    '/v1/feedback',
    await request(options.rolloutId),
  );
  const ended = new AbortController();
  const signal = AbortSignal.any([context.signal, ended.signal]);
  const follow = { timeoutMs: LOOP_TIMEOUT_MS, signal: context.signal, onStep: context.narrator.line };
  const result = followWorkflow<CloseLoopResult>(api, started.workflowId, follow);
  const world = Promise.all([
    driveForBrief(context, { ...options, briefId: started.briefId, signal }),
    annotate(context.fleet.controlPlane.as('annotator'), started.briefId, signal),
    approve(context, (promotion) => promotion.promotionId === started.promotionId, signal).then(async () =>
      options.road.start(),
    ),
  ]);
  try {
    // The world never ends before the workflow unless it fails: then its failure is the one to show.
    return await Promise.race([result, world.then(async () => result)]);
  } finally {
    ended.abort();
    await Promise.allSettled([world, result]);
  }
}

async function request(rolloutId: string): Promise<object> {
  return {
    rolloutId,
    owner: 'ml-engineer',
    recordingsWanted: borealtcRuns().length,
    campaign: {
      inputs: [
        { kind: 'model', name: 'output', field: 'output', role: 'shadow' },
        { kind: 'model', name: 'distance', field: 'distance', role: 'shadow' },
      ],
      condition: `output == "SNOW" && distance > ${FAR}`,
      preWindowMs: 10_000,
      postWindowMs: 5_000,
    },
    specification: await readDocument('datasets', 'terrain-v4.json'),
    trainings: [
      { model: MODEL, featureSet: 'norms', policy: await readDocument('policies', 'terrain.json'), seed: SEED },
    ],
    regression: { name: 'revision-b', where: 'hardwareRevision == "B"', countMin: 20, runsMin: 2, lowerBoundMin: 0.6 },
    rollout: { waves: WAVES, health: HEALTH },
  };
}

type BriefDrive = LoopOptions & { readonly briefId: string; readonly signal: AbortSignal };

/** Every run once, dealt out to the affected vehicles: no run is recorded twice. */
async function driveForBrief({ fleet }: DemoContext, { briefId, firstSlot, signal }: BriefDrive): Promise<void> {
  const api = fleet.controlPlane.as('fleet-operator');
  const brief = await waitUntil(
    async () => {
      const { briefs } = await api.get<{ briefs: readonly FactBody<'brief.opened'>[] }>('/v1/briefs');
      return briefs.find((each) => each.briefId === briefId);
    },
    { what: `brief ${briefId}`, timeoutMs: LOOP_TIMEOUT_MS, signal },
  );
  const runs = borealtcRuns();
  await Promise.all(
    brief.vehicles.map(async (id, index) => {
      await campaignActive(api, id, `brief-${briefId}`, signal);
      await shadowRuns(api, id, signal);
      const vehicle = fleet.vehicles.get(id);
      const share = runs.filter((_, position) => position % brief.vehicles.length === index);
      const revision = vehicle?.plan.hardwareRevision ?? 'A';
      await vehicle?.drive(
        share.map((run, position) => runDrive(run, revision, { startAt: slotStart(firstSlot + position), speed: 0 })),
      );
    }),
  );
}

async function shadowRuns(api: ApiClient, vehicleId: string, signal: AbortSignal): Promise<void> {
  await waitUntil(
    async () => {
      const { reported } = await api.get<{ reported: { model: { shadowBundle: string | null } } | null }>(
        `/v1/vehicles/${vehicleId}`,
      );
      return reported?.model.shadowBundle ?? undefined;
    },
    { what: `shadow model on ${vehicleId}`, timeoutMs: LOOP_TIMEOUT_MS, signal },
  );
}

/** The annotator labels each recording of the brief with the ground that the run was driven on, until the loop has ended. */
async function annotate(api: ApiClient, briefId: string, signal: AbortSignal): Promise<void> {
  const terrainOf = new Map(borealtcRuns().map((run) => [run.session, run.terrain]));
  await waitUntil(
    async () => {
      const unlabelled = await listRecordings(api, `brief == "${briefId}" && label == ""`);
      for (const { recording, session } of unlabelled) {
        const label = terrainOf.get(session);
        if (label !== undefined)
          await api.post(`/v1/recordings/${recording}/labels`, { label, method: 'ground seen on site' });
      }
      return undefined;
    },
    { what: 'the end of annotation', timeoutMs: LOOP_TIMEOUT_MS, signal },
  );
}
