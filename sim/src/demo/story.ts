/** The demo's story, chapter by chapter; each uses only what a user could: API, command line, agents' playlists. */
import { FleetError } from '@fleetloop/schemas';
import type { CloseLoopResult, RolloutResult, TrainModelResult } from '@fleetloop/workflows';
import { FLEET, terrainRotation } from '../world/fleet-plan.ts';
import { Road } from '../world/road.ts';
import { type CaptureOutcome, captureDrives } from './chapters/capture.ts';
import { freezeDataset, registerFeatureSets } from './chapters/datasets.ts';
import { fleetloop, importRuns } from './chapters/import-runs.ts';
import { closeLoop } from './chapters/loop.ts';
import { measureParity } from './chapters/parity.ts';
import { promote, rollOut, rolloutFigures } from './chapters/rollouts.ts';
import { gateFigures, trainModel } from './chapters/training.ts';
import type { DemoContext } from './demo-context.ts';
import type { Summary } from './summary.ts';

/** Times real time on the road during rollouts. */
const ROAD_SPEED = 60;
/** Slots on the fleet's clock, far apart, so that no two drives of a vehicle share their time. */
const SLOTS = { rollouts: 0, brief: 10_000, fix: 20_000 } as const;
/** Dataset versions and feature sets that are trained; the first passes into production, the last is the candidate. */
const TRAININGS = [
  { dataset: 'v1', featureSet: 'norms' },
  { dataset: 'v2', featureSet: 'norms' },
  { dataset: 'v3', featureSet: 'norms' },
  { dataset: 'v2', featureSet: 'axes' },
] as const;

/** The figures, and the lineage of the anomaly as a person reads it: what it was made from, and what came of it. */
export type Story = { readonly summary: Summary; readonly traceTrees: readonly string[] };

export async function runStory(context: DemoContext): Promise<Story> {
  const { narrator, fleet } = context;
  const capture = await collect(context);
  const { trained, parity } = await learn(context);
  const rollouts = await deploy(context, trained);
  const { loop, gate, figures } = await improve(context, rollouts.failed);
  narrator.chapter('An auditor looks at it');
  const audit = await narrator.step('audit', 'ledger verified and anomaly traced', async () =>
    auditAnomaly(context, loop.anomalyId),
  );
  const gates = await Promise.all(trained.map(async ({ model, ...names }) => gateFigures(context, model, names)));
  await fleet.memory.sample();
  const summary: Summary = {
    events: capture,
    gates: [...gates, gate],
    rollouts: [...rollouts.figures, ...figures],
    loop: {
      anomaly: loop.anomalyId,
      brief: loop.briefId,
      campaign: loop.campaignId,
      recordings: loop.recordings.length,
      dataset: loop.dataset,
      verdict: gate.verdict,
      refusesFormerModel: loop.refusesFormerModel,
    },
    parity,
    trace: audit.trace,
    ledger: audit.ledger,
    timings: narrator.timings(),
    memory: fleet.memory.peaks(),
  };
  return { summary, traceTrees: audit.trees };
}

async function collect(context: DemoContext): Promise<CaptureOutcome> {
  const { narrator } = context;
  narrator.chapter('Drives: 6 vehicles, 18 real drives, one campaign; 46 test-drive runs are imported meanwhile');
  const [capture] = await Promise.all([
    narrator.step('capture', 'drives captured, uploaded and verified', async () => captureDrives(context)),
    narrator.step('import', 'runs imported', async () => importRuns(context)),
  ]);
  narrator.line(`${capture.captured} of ${capture.expected} listed events captured, ${capture.extra} extra`);
  return capture;
}

type Trained = { readonly model: TrainModelResult; readonly dataset: string; readonly featureSet: string };

async function learn(
  context: DemoContext,
): Promise<{ readonly trained: readonly Trained[]; readonly parity: Summary['parity'] }> {
  const { narrator } = context;
  narrator.chapter('Learning: three dataset versions, two feature sets, one gate');
  await registerFeatureSets(context);
  await narrator.step('datasets', 'dataset versions v1, v2, v3 frozen', async () => {
    for (const version of ['v1', 'v2', 'v3']) await freezeDataset(context, version);
  });
  const [parity, trained] = await Promise.all([
    narrator.step('parity', 'both feature engines compared value by value', async () => measureParity(context)),
    trainAll(context),
  ]);
  return { trained, parity };
}

async function trainAll(context: DemoContext): Promise<readonly Trained[]> {
  const { narrator } = context;
  const trained: Trained[] = [];
  for (const { dataset, featureSet } of TRAININGS) {
    const what = `terrain trained on ${dataset} with ${featureSet}`;
    const model = await narrator.step(`train ${dataset} ${featureSet}`, what, async () =>
      trainModel(context, dataset, featureSet),
    );
    narrator.line(`gate: terrain@${model.modelVersion} ${model.gate.verdict}`);
    trained.push({ model, dataset, featureSet });
  }
  return trained;
}

async function deploy(
  context: DemoContext,
  trained: readonly Trained[],
): Promise<{ readonly figures: Summary['rollouts']; readonly failed: RolloutResult }> {
  const { narrator } = context;
  narrator.chapter('Deployment: one rollout that is healthy, one that goes wrong on hardware revision B');
  const road = roadOf(context, SLOTS.rollouts);
  await road.start();
  try {
    const figures: Summary['rollouts'][number][] = [];
    const outcomes: RolloutResult[] = [];
    for (const { model, featureSet } of trained.filter(({ dataset }) => dataset === 'v2')) {
      await promote(context, model.modelVersion);
      const what = `rollout of terrain@${model.modelVersion} (${featureSet}) ended`;
      const outcome = await narrator.step(`rollout ${featureSet}`, what, async () =>
        rollOut(context, model.modelVersion),
      );
      narrator.line(`${outcome.phase}: ${outcome.reason}`);
      outcomes.push(outcome);
      figures.push(rolloutFigures(featureSet, outcome));
    }
    const failed = outcomes.find((outcome) => outcome.anomalyId !== null);
    if (failed === undefined)
      throw new FleetError('INTERNAL_UNEXPECTED', 'no rollout opened an anomaly: there is no loop to close');
    return { figures, failed };
  } finally {
    await road.stop(context.signal);
  }
}

type Improved = {
  readonly loop: CloseLoopResult;
  readonly gate: Summary['gates'][number];
  readonly figures: Summary['rollouts'];
};

async function improve(context: DemoContext, failed: RolloutResult): Promise<Improved> {
  const { narrator } = context;
  narrator.chapter('The loop closes: anomaly → brief → campaign → recordings → dataset → model → gate → rollout');
  const road = roadOf(context, SLOTS.fix);
  try {
    const options = { rolloutId: failed.rolloutId, firstSlot: SLOTS.brief, road };
    const loop = await narrator.step('loop', 'the loop has closed', async () => closeLoop(context, options));
    const fix = loop.trained.at(-1);
    if (fix === undefined) throw new FleetError('INTERNAL_UNEXPECTED', `the loop trained nothing: ${loop.outcome}`);
    const gate = await gateFigures(context, fix, { dataset: 'v4', featureSet: 'norms' });
    return { loop, gate, figures: loop.rollout === null ? [] : [rolloutFigures('fix', loop.rollout)] };
  } finally {
    await road.stop(context.signal);
  }
}

function roadOf({ fleet }: DemoContext, firstSlot: number): Road {
  return new Road({
    vehicles: FLEET.flatMap((plan) => fleet.vehicles.get(plan.vehicleId) ?? []),
    api: fleet.controlPlane.as('fleet-operator'),
    runs: terrainRotation(['pool', 'test']),
    speed: ROAD_SPEED,
    firstSlot,
  });
}

type Verified = { readonly ok: boolean; readonly entries: number };
type Traced = { readonly from: string; readonly nodes: readonly unknown[]; readonly edges: readonly unknown[] };

async function auditAnomaly(
  context: DemoContext,
  anomalyId: string,
): Promise<Pick<Summary, 'trace' | 'ledger'> & { readonly trees: readonly string[] }> {
  const ledger = JSON.parse(await fleetloop(context, ['ledger', 'verify', '--json'])) as Verified;
  const trace = JSON.parse(await fleetloop(context, ['trace', anomalyId, '--json'])) as Traced;
  return {
    trees: await Promise.all(
      ['down', 'up'].map(async (direction) => fleetloop(context, ['trace', anomalyId, '--direction', direction])),
    ),
    trace: { from: trace.from, nodes: trace.nodes.length, edges: trace.edges.length },
    ledger: { entries: ledger.entries, verified: ledger.ok },
  };
}
