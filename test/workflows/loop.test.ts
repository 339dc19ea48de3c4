/** The workflows on real servers: freezing, training, gating, approving, rolling out, rolling back and closing the loop. */
import type { CloseLoopResult, FrozenDataset, RolloutResult, TrainModelResult } from '@fleetloop/workflows';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FlowBench, openFlowBench } from './flow-bench.ts';
import { recordHistories } from './histories.ts';
import type { RoadVehicle } from './road-vehicle.ts';
import { AXES_FEATURES, type Ground, GROUND_POLICY, GROUNDS, NORM_FEATURES, SMALL_SEARCH } from './synthetic-drives.ts';

const GROUND_NAMES = Object.keys(GROUNDS) as Ground[];
const TRAIN_SESSIONS = GROUND_NAMES.flatMap((ground) => [1, 2, 3].map((run) => `${ground}/${run}`));
const TEST_SESSIONS = GROUND_NAMES.flatMap((ground) => [8, 9].map((run) => `${ground}/${run}`));
const HEALTH = {
  windowsMin: 20,
  vehicleWindowsMin: 4,
  controlWindowsMin: 10,
  designEffect: 1,
  confirmTimeoutMs: 8_000,
  exposureTimeoutMs: 30_000,
  lookEveryMs: 500,
  rollbackTimeoutMs: 8_000,
};
const groundOf = (session: string): Ground => session.split('/')[0] as Ground;

/** Workflows of this run by the name of the history that they give; recorded on request. */
const started = new Map<string, string>();
let bench: FlowBench;
let fleet: readonly RoadVehicle[];

beforeAll(async () => {
  bench = await openFlowBench();
  const drives: string[] = [];
  for (const session of [...TRAIN_SESSIONS, ...TEST_SESSIONS]) {
    drives.push(
      await bench.importDrive({ session, ground: groundOf(session), vehicle: 'veh-a1', hardwareRevision: 'A' }),
    );
  }
  for (const document of [AXES_FEATURES, NORM_FEATURES]) await putIntoForce(document, drives.slice(0, 2));
  fleet = [
    await bench.enrol('veh-a1', 'A'),
    await bench.enrol('veh-a2', 'A'),
    await bench.enrol('veh-b1', 'B'),
    await bench.enrol('veh-b2', 'B'),
  ];
});

afterAll(async () => {
  await recordHistories(bench.as('olga'), started);
  await bench?.[Symbol.asyncDispose]();
});

/** Only models of active feature sets are promoted. */
async function putIntoForce(
  document: { readonly name: string; readonly version: number },
  recordings: readonly string[],
): Promise<void> {
  const path = `/v1/feature-sets/${document.name}/${document.version}`;
  await bench.as('olga').post('/v1/feature-sets', { document });
  const validator = bench.as('anton');
  const asked = { recordings, reason: 'the engines agree on two drives' };
  await validator.workflowResult((await validator.post<{ workflowId: string }>(`${path}/validate`, asked)).workflowId);
  await bench.as('olga').post(`${path}/activate`, { reason: 'validated' });
}

function specification(version: string, extra: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    kind: 'dataset-specification',
    dataset: 'ground',
    version,
    description: '',
    include: 'source == "import" && hardwareRevision == "A"',
    exclude: [],
    testSessions: TEST_SESSIONS,
    ...extra,
  };
}

async function freeze(version: string, extra: Record<string, unknown> = {}): Promise<FrozenDataset> {
  const api = bench.as('olga');
  const { workflowId } = await api.post<{ workflowId: string }>('/v1/datasets', {
    specification: specification(version, extra),
  });
  started.set('freeze-dataset', workflowId);
  return api.workflowResult<FrozenDataset>(workflowId);
}

function training(extra: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    model: 'ground',
    featureSet: 'axes',
    policy: GROUND_POLICY,
    trainer: 'reference',
    parameters: SMALL_SEARCH,
    seed: 7,
    ...extra,
  };
}

async function train(dataset: string, extra: Record<string, unknown> = {}): Promise<TrainModelResult> {
  const api = bench.as('olga');
  const { workflowId } = await api.post<{ workflowId: string }>('/v1/trainings', { dataset, ...training(extra) });
  started.set(extra['trainer'] === 'breaks' ? 'train-model-failed' : 'train-model', workflowId);
  return api.workflowResult<TrainModelResult>(workflowId);
}

type Promotion = {
  readonly promotionId: string;
  readonly model: string;
  readonly dataset: string;
  readonly policy: string;
  readonly state: string;
};

async function proposal(promotionId: string): Promise<Promotion> {
  return eventually(async () =>
    (await bench.as('anton').get<{ promotions: Promotion[] }>('/v1/promotions')).promotions.find(
      (entry) => entry.promotionId === promotionId,
    ),
  );
}

async function promote(model: TrainModelResult): Promise<string> {
  const { promotionId, workflowId } = await bench
    .as('olga')
    .post<{ promotionId: string; workflowId: string }>('/v1/promotions', {
      model: model.modelName,
      version: model.modelVersion,
    });
  await approve(promotionId);
  started.set('promote-model', workflowId);
  const outcome = await bench.as('olga').workflowResult<{ state: string; bundle: string }>(workflowId);
  expect(outcome.state).toBe('approved');
  return outcome.bundle;
}

async function approve(promotionId: string): Promise<void> {
  const { model, dataset, policy } = await proposal(promotionId);
  await bench.as('anton').post(`/v1/promotions/${promotionId}/approve`, {
    reason: 'I read the numbers',
    digests: { model, dataset, policy },
  });
}

async function startRollout(
  model: TrainModelResult,
  waves: readonly (readonly string[])[],
  health: Record<string, unknown> = {},
): Promise<{ rolloutId: string; workflowId: string }> {
  return bench.as('olga').post('/v1/rollouts', {
    model: model.modelName,
    version: model.modelVersion,
    waves,
    health: { ...HEALTH, ...health },
  });
}

/** Which of our versions MLflow's alias points at. */
async function champion(): Promise<string | undefined> {
  const reply = await fetch(
    `${bench.stack.mlflow.url}/api/2.0/mlflow/registered-models/alias?name=ground&alias=champion`,
  );
  const { model_version: version } = (await reply.json()) as {
    model_version: { tags: { key: string; value: string }[] };
  };
  return version.tags.find((tag) => tag.key === 'fleetloop.version')?.value;
}

const EVENTUALLY_MS = 60_000;

async function eventually<Value>(probe: () => Promise<Value | undefined>): Promise<Value> {
  const deadline = Date.now() + EVENTUALLY_MS;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

describe('datasets', () => {
  test('freezes a version once and answers the same request with it', async () => {
    const first = await freeze('v1', {
      exclude: [{ where: 'label == "wild" && !(session in ["wild/8", "wild/9"])', reason: 'not driven yet' }],
    });
    const again = await freeze('v1', {
      exclude: [{ where: 'label == "wild" && !(session in ["wild/8", "wild/9"])', reason: 'not driven yet' }],
    });
    expect(first).toMatchObject({ dataset: 'ground', version: 'v1', created: true, train: 6, test: 6, excluded: 3 });
    expect(again).toMatchObject({ digest: first.digest, created: false });
  });

  test('refuses other content under the name of a frozen version', async () => {
    await expect(freeze('v1')).rejects.toMatchObject({ code: 'DATASET_EXISTS' });
  });

  test('refuses to train on a held-out session', async () => {
    await expect(freeze('v9', { trainSessions: ['calm/1', 'calm/8'] })).rejects.toMatchObject({
      code: 'DATASET_LEAKAGE',
    });
  });

  test('refuses a recording without a label and names it', async () => {
    const recording = await bench.importDrive(
      {
        session: 'calm/unlabelled',
        ground: 'calm',
        vehicle: 'veh-a1',
        hardwareRevision: 'A',
        attributes: { pool: 'unlabelled' },
      },
      { unlabelled: true },
    );
    await expect(freeze('v9')).rejects.toMatchObject({
      code: 'DATASET_LABEL_MISSING',
      message: expect.stringContaining(recording),
    });
    await bench.as('tessa').post(`/v1/recordings/${recording}/labels`, { label: 'calm', method: 'by eye' });
  });

  test('shows what changed between two versions', async () => {
    await freeze('v2', { exclude: [{ where: 'session == "calm/unlabelled"', reason: 'not reviewed' }] });
    const difference = await bench
      .as('olga')
      .get<{ added: { session: string }[]; removed: unknown[] }>('/v1/datasets/diff', {
        query: { from: 'ground/v1', to: 'ground/v2' },
      });
    expect(difference.added.map((entry) => entry.session).sort()).toEqual(['wild/1', 'wild/2', 'wild/3']);
    expect(difference.removed).toEqual([]);
  });
});

describe('trainings', () => {
  test('a model that has never seen a ground is refused for it and can not be promoted', async () => {
    const model = await train('ground/v1');
    expect(model.gate.verdict).toBe('failed');
    expect(model.gate.decidedBy).toContain('wild');
    await expect(
      bench.as('olga').post('/v1/promotions', { model: 'ground', version: model.modelVersion }),
    ).rejects.toMatchObject({ code: 'APPROVAL_GATE' });
  });

  test('a trainer that exits non-zero fails the training with what it said, and leaves a fact', async () => {
    await expect(train('ground/v2', { trainer: 'breaks' })).rejects.toMatchObject({
      code: 'TRAINING_TRAINER_FAILED',
      message: expect.stringContaining('out of memory in layer 3'),
    });
  });

  test('a trainer that writes garbage is refused', async () => {
    await expect(train('ground/v2', { trainer: 'writes-garbage' })).rejects.toMatchObject({
      code: 'TRAINING_OUTPUT_INVALID',
    });
  });

  test('a trainer that leaves out test samples is refused', async () => {
    await expect(train('ground/v2', { trainer: 'omits-samples' })).rejects.toMatchObject({
      code: 'TRAINING_OUTPUT_INVALID',
      message: expect.stringContaining('test samples'),
    });
  });

  test('a policy that names an unknown label fails the gate with its code', async () => {
    const [slice] = GROUND_POLICY.slices;
    const policy = { ...GROUND_POLICY, name: 'odd', slices: [{ ...slice, label: 'lava' }] };
    await expect(train('ground/v2', { policy })).rejects.toMatchObject({ code: 'EVALUATION_SLICE_UNKNOWN' });
  });
});

describe('promotion and rollout', () => {
  let norms: TrainModelResult;
  let axes: TrainModelResult;

  beforeAll(async () => {
    norms = await train('ground/v2', { featureSet: 'norms' });
    axes = await train('ground/v2', { featureSet: 'axes' });
  });

  test('both models pass the gate, and MLflow knows them', async () => {
    expect([norms.gate.verdict, axes.gate.verdict]).toEqual(['passed', 'passed']);
    const reply = await fetch(`${bench.stack.mlflow.url}/api/2.0/mlflow/runs/get?run_id=${norms.mlflowRunId}`);
    const { run } = (await reply.json()) as {
      run: { info: { status: string }; data: { tags: { key: string; value: string }[] } };
    };
    expect(run.info.status).toBe('FINISHED');
    expect(run.data.tags).toContainEqual({ key: 'fleetloop.dataset', value: norms.dataset });
  });

  test('the proposer can not approve, and an approval of other digests is void', async () => {
    const { promotionId } = await bench
      .as('olga')
      .post<{ promotionId: string }>('/v1/promotions', { model: 'ground', version: norms.modelVersion });
    const { model, dataset, policy } = await proposal(promotionId);
    const digests = { model, dataset, policy };
    await expect(
      bench.as('olga').post(`/v1/promotions/${promotionId}/approve`, { reason: 'mine', digests }),
    ).rejects.toMatchObject({ code: 'APPROVAL_SELF' });
    const other = { ...digests, model: `sha256:${'0'.repeat(64)}` };
    await expect(
      bench.as('anton').post(`/v1/promotions/${promotionId}/approve`, { reason: 'wrong', digests: other }),
    ).rejects.toMatchObject({ code: 'APPROVAL_VOID' });
    await bench.as('anton').post(`/v1/promotions/${promotionId}/refuse`, { reason: 'not yet' });
    await expect(
      bench.as('anton').post(`/v1/promotions/${promotionId}/approve`, { reason: 'late', digests }),
    ).rejects.toMatchObject({ code: 'APPROVAL_NOT_PENDING' });
  });

  test('a model that nobody approved does not reach a vehicle', async () => {
    const { workflowId } = await startRollout(axes, [['veh-a1']]);
    await expect(bench.as('olga').workflowResult(workflowId)).rejects.toMatchObject({ code: 'ROLLOUT_NOT_APPROVED' });
    expect(fleet.map((vehicle) => vehicle.activeBundle)).toEqual([null, null, null, null]);
  });

  test('a healthy model reaches all vehicles, and its alias is moved in MLflow', async () => {
    const bundle = await promote(norms);
    const { workflowId } = await startRollout(norms, [['veh-a1'], ['veh-a2', 'veh-b1', 'veh-b2']]);
    started.set('roll-out-healthy', workflowId);
    const result = await bench.as('olga').workflowResult<RolloutResult>(workflowId);
    expect(result).toMatchObject({ phase: 'healthy', rolledBack: [], anomalyId: null });
    expect(fleet.map((vehicle) => vehicle.activeBundle)).toEqual([bundle, bundle, bundle, bundle]);
    expect(await champion()).toBe(String(norms.modelVersion));
  });

  test('a model that is lost on revision B is rolled back everywhere, and an anomaly names revision, vehicles and feature', async () => {
    const former = fleet[0]?.activeBundle;
    await promote(axes);
    expect(await champion()).toBe(String(axes.modelVersion));
    const { workflowId, rolloutId } = await startRollout(axes, [['veh-a1'], ['veh-a2', 'veh-b1']]);
    started.set('roll-out-rolled-back', workflowId);
    const result = await bench.as('olga').workflowResult<RolloutResult>(workflowId);
    expect(result.phase).toBe('rolled_back');
    expect(await champion()).toBe(String(norms.modelVersion));
    expect([...result.rolledBack].sort()).toEqual(['veh-a1', 'veh-a2', 'veh-b1']);
    expect(fleet.map((vehicle) => vehicle.activeBundle)).toEqual([former, former, former, former]);
    const { anomalies } = await bench.as('anton').get<{ anomalies: Record<string, unknown>[] }>('/v1/anomalies');
    expect(anomalies.at(-1)).toMatchObject({
      rolloutId,
      hardwareRevision: 'B',
      vehicles: ['veh-b1'],
      feature: 'vertical_mad',
    });
  });

  test('MLflow being down does not hold up a rollback', async () => {
    await bench.stack.mlflow.kill();
    try {
      const { workflowId } = await startRollout(axes, [['veh-b2']]);
      const result = await bench.as('olga').workflowResult<RolloutResult>(workflowId);
      expect(result).toMatchObject({ phase: 'rolled_back', rolledBack: ['veh-b2'] });
      expect(result.rollbackSeconds).toBeLessThan(HEALTH.rollbackTimeoutMs / 1_000);
    } finally {
      await bench.stack.mlflow.restart();
    }
  });

  test('a silent vehicle fails its wave and the others go back', async () => {
    const silent = fleet[1] as RoadVehicle;
    silent.temper = 'silent';
    try {
      const { workflowId } = await startRollout(axes, [['veh-a1', 'veh-a2']], {
        confirmTimeoutMs: 2_000,
        rollbackTimeoutMs: 2_000,
      });
      const result = await bench.as('olga').workflowResult<RolloutResult>(workflowId);
      expect(result.phase).toBe('aborted');
      expect(result.rolledBack).toEqual(['veh-a1']);
      expect(result.reason).toContain('veh-a2');
    } finally {
      silent.temper = 'obeys';
    }
  });

  test('a rollout can be paused, and an abort by a person rolls back', async () => {
    const former = fleet[0]?.activeBundle;
    const { workflowId, rolloutId } = await startRollout(axes, [['veh-a1'], ['veh-a2']], {
      windowsMin: 10_000,
      exposureTimeoutMs: 60_000,
    });
    const api = bench.as('anton');
    await eventually(async () =>
      (await api.get<{ actions: { state: string }[] }>(`/v1/rollouts/${rolloutId}`)).actions.some(
        (action) => action.state === 'confirmed',
      )
        ? true
        : undefined,
    );
    expect(await api.post(`/v1/rollouts/${rolloutId}/pause`, { reason: 'lunch' })).toMatchObject({ phase: 'paused' });
    await expect(api.post(`/v1/rollouts/${rolloutId}/pause`, { reason: 'twice' })).rejects.toMatchObject({
      code: 'ROLLOUT_STATE',
    });
    expect(await api.post(`/v1/rollouts/${rolloutId}/promote`, { reason: 'back' })).toMatchObject({
      phase: 'progressing',
    });
    await api.post(`/v1/rollouts/${rolloutId}/abort`, { reason: 'enough' });
    started.set('roll-out-aborted', workflowId);
    const result = await api.workflowResult<RolloutResult>(workflowId);
    expect(result).toMatchObject({ phase: 'rolled_back', anomalyId: null });
    expect(result.reason).toContain('aborted by anton: enough');
    expect(fleet[0]?.activeBundle).toBe(former);
  });

  /** Asks for a loop over the anomaly of veh-b1. */
  async function startLoop(
    extra: Record<string, unknown> = {},
  ): Promise<{ workflowId: string; briefId: string; promotionId: string }> {
    const { anomalies } = await bench
      .as('olga')
      .get<{ anomalies: { rolloutId: string; vehicles: string[] }[] }>('/v1/anomalies');
    const rolloutId = anomalies.find((anomaly) => anomaly.vehicles.includes('veh-b1'))?.rolloutId;
    return bench.as('olga').post('/v1/feedback', {
      rolloutId,
      recordingsWanted: 9,
      campaign: {
        condition: 'distance > 10.0',
        inputs: [{ kind: 'model', name: 'distance', field: 'distance', role: 'shadow' }],
        preWindowMs: 5_000,
        postWindowMs: 5_000,
      },
      specification: specification('v4', {
        include:
          '(source == "import" && hardwareRevision == "A" && session != "calm/unlabelled") || brief == "{brief}"',
      }),
      trainings: [training({ featureSet: 'norms' })],
      regression: {
        name: 'revision B',
        where: 'hardwareRevision == "B"',
        countMin: 10,
        runsMin: 2,
        lowerBoundMin: 0.6,
      },
      rollout: { waves: [['veh-b1'], ['veh-a1', 'veh-a2', 'veh-b2']], health: HEALTH },
      ...extra,
    });
  }

  test('a brief that gets too few recordings ends with its reason, and the shadow is taken back', async () => {
    const loop = await startLoop({ recordingsTimeoutMs: 1_000 });
    await expect(bench.as('olga').workflowResult(loop.workflowId)).rejects.toMatchObject({
      code: 'FEEDBACK_TIMEOUT',
      message: expect.stringContaining('0 of 9 recordings'),
    });
    await eventually(async () => (fleet[2]?.shadow === null ? true : undefined));
    const { briefs } = await bench.as('anton').get<{ briefs: { briefId: string; closed: unknown }[] }>('/v1/briefs');
    expect(briefs.find((brief) => brief.briefId === loop.briefId)?.closed).toMatchObject({
      outcome: expect.stringContaining('FEEDBACK_TIMEOUT'),
    });
  });

  test('the loop turns the anomaly into recordings, a dataset, a guarded gate and a rollout, across a kill of the control plane', async () => {
    const loop = await startLoop();
    await eventually(async () =>
      fleet[2]?.shadow !== null && fleet[2]?.campaigns.includes(`brief-${loop.briefId}`) === true ? true : undefined,
    );
    expect(fleet[3]?.campaigns).toEqual([]);
    const sessions = GROUND_NAMES.flatMap((ground) => [`${ground}/1`, `${ground}/8`, `${ground}/9`]);
    const recordings: string[] = [];
    for (const session of sessions) {
      recordings.push(
        await bench.importDrive(
          { session, ground: groundOf(session), vehicle: 'veh-b1', hardwareRevision: 'B', brief: loop.briefId },
          { unlabelled: true },
        ),
      );
    }
    await bench.killAndRestart();
    for (const [index, recording] of recordings.entries()) {
      await bench
        .as('tessa')
        .post(`/v1/recordings/${recording}/labels`, { label: groundOf(sessions[index] ?? ''), method: 'by eye' });
    }
    await approve(loop.promotionId);
    started.set('close-loop', loop.workflowId);
    const result = await bench.as('olga').workflowResult<CloseLoopResult>(loop.workflowId);
    expect(result.recordings).toHaveLength(9);
    expect(result.refusesFormerModel).toBe(true);
    expect(result.formerGate.decidedBy).toContain('revision B');
    expect(result.rollout?.phase).toBe('healthy');
    const { briefs } = await bench.as('anton').get<{ briefs: { briefId: string; closed: unknown }[] }>('/v1/briefs');
    expect(briefs.find((brief) => brief.briefId === loop.briefId)?.closed).toMatchObject({
      dataset: result.datasetDigest,
    });
  });
});
