/**
 * Why: a model reaches vehicles wave by wave, and only while it is healthy on those that have it. Whatever else happens,
 * a failed or inconclusive wave, a silent vehicle, an order to abort, a failure of ours, every vehicle that was touched
 * goes back to what it ran before, and says so.
 */
import {
  ActivityFailure,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  sleep,
  uuid4,
} from '@temporalio/workflow';
import { MIRROR_STEP, ROLLBACK_STEP, SHORT_STEP, WAITING_STEP } from '../flow/activity-options.ts';
import { reasonOf } from '../flow/failure.ts';
import { trackProgress } from '../flow/progress.ts';
import type { LedgerActivities, MlflowActivities, RolloutActivities, RolloutPlan } from '../ports.ts';
import { describeRules, type HealthRules } from './health-rules.ts';
import { type HealthJudgement, judgeHealth } from './health-verdict.ts';
import { rollBack } from './roll-back.ts';
import { RolloutControls } from './rollout-controls.ts';
import {
  actionFact,
  anomalyFact,
  finishedFact,
  healthFact,
  installFindings,
  type RolloutScribe,
  startedFact,
  waveFact,
} from './rollout-facts.ts';
import type { RolloutPhase } from './rollout-phase.ts';
import type { ReportStep } from '../flow/progress.ts';

export type RolloutInput = {
  readonly rolloutId: string;
  readonly model: string;
  readonly version: number;
  readonly waves: readonly (readonly string[])[];
  readonly health: HealthRules;
  readonly actor: string;
};

export type RolloutResult = {
  readonly rolloutId: string;
  readonly phase: RolloutPhase;
  readonly updated: readonly string[];
  readonly rolledBack: readonly string[];
  readonly anomalyId: string | null;
  readonly reason: string;
  /** From start to end, s. */
  readonly seconds: number;
  /** From the decision to abort until the last vehicle was confirmed on its former bundle, s; null where nothing was rolled back. */
  readonly rollbackSeconds: number | null;
};

/** What stopped a rollout. `judgement` is there when health did. */
type Stop = { readonly reason: string; readonly judgement?: HealthJudgement; readonly since?: string };

const short = proxyActivities<RolloutActivities & LedgerActivities>(SHORT_STEP);
const acting = proxyActivities<LedgerActivities>(ROLLBACK_STEP);
const waiting = proxyActivities<RolloutActivities>(WAITING_STEP);
const mirror = proxyActivities<MlflowActivities>(MIRROR_STEP);

type Run = {
  readonly input: RolloutInput;
  readonly plan: RolloutPlan;
  readonly scribe: RolloutScribe;
  readonly controls: RolloutControls;
  readonly report: ReportStep;
  readonly startedMs: number;
  /** Counter of the latest target of each vehicle that was touched. */
  readonly touched: Map<string, number>;
};

/** Rolls a promoted model out over the waves; ends `healthy`, `rolled_back`, or `aborted` where a vehicle stays silent. */
export async function rollOut(input: RolloutInput): Promise<RolloutResult> {
  const report = trackProgress();
  const controls = new RolloutControls();
  const startedMs = Date.now();
  report('prepare', 'running');
  const { rolloutId, model, version, waves } = input;
  const plan = await short.prepareRollout({ rolloutId, model, version, waves });
  const scribe = { rolloutId, actor: input.actor, plan };
  const run: Run = { input, plan, scribe, controls, report, startedMs, touched: new Map() };
  await short.recordFacts([startedFact(scribe, waves, describeRules(input.health))]);
  report('prepare', 'done', `bundle ${plan.bundle}, former ${plan.formerBundle ?? 'none'}`);
  controls.enter('progressing');
  const stop = await runWaves(run);
  return stop === undefined ? finishHealthy(run) : CancellationScope.nonCancellable(async () => abort(run, stop));
}

/** Runs wave after wave; answers what stopped the rollout, or undefined where all waves passed. */
async function runWaves(run: Run): Promise<Stop | undefined> {
  try {
    for (const [index, vehicles] of run.input.waves.entries()) {
      await run.controls.untilResumed();
      if (run.controls.abortOrder !== undefined) return orderedStop(run);
      const stop = await runWave(run, index, vehicles);
      if (stop !== undefined) return stop;
    }
    await run.controls.untilResumed();
    return run.controls.abortOrder === undefined ? undefined : orderedStop(run);
  } catch (error) {
    if (!(error instanceof ActivityFailure) && !isCancellation(error)) throw error;
    const { code, message } = reasonOf(error);
    return {
      reason: isCancellation(error) ? 'the rollout was cancelled' : `the rollout could not go on: ${code}: ${message}`,
    };
  }
}

async function runWave(run: Run, index: number, vehicles: readonly string[]): Promise<Stop | undefined> {
  const { controls, report, plan, input, scribe } = run;
  const step = `wave ${index}`;
  controls.wave = index;
  report(step, 'running', `assigning ${vehicles.join(', ')}`);
  const wave = [waveFact(scribe, index, vehicles)];
  await short.recordFacts(wave);
  // Before the assignment is asked for, so that a failure in the middle rolls these vehicles back too.
  for (const vehicle of vehicles) run.touched.set(vehicle, 0);
  const reason = `rollout ${input.rolloutId}, wave ${index}`;
  const counters = await short.assignVehicles({
    assignments: vehicles.map((vehicleId) => ({ vehicleId, bundle: plan.bundle, shadow: null })),
    rolloutId: input.rolloutId,
    reason,
  });
  for (const [vehicle, counter] of Object.entries(counters)) run.touched.set(vehicle, counter);
  await recordActions(
    run,
    vehicles.map((vehicleId) => ({ vehicleId, state: 'assigned', reason })),
  );
  report(step, 'waiting', 'until each vehicle has confirmed the bundle');
  const stop = await confirmWave(run, index, vehicles);
  if (stop !== undefined) return failStep(run, step, stop);
  const since = Date.now();
  const judged = await watchWave(run, { index, vehicles, sinceMs: since, step });
  if (judged !== undefined) return failStep(run, step, judged);
  report(step, 'done', 'healthy');
  return undefined;
}

function failStep(run: Run, step: string, stop: Stop): Stop {
  run.report(step, 'failed', stop.reason);
  return stop;
}

type VehicleAction = {
  readonly vehicleId: string;
  readonly state: 'assigned' | 'confirmed' | 'refused' | 'silent';
  readonly reason: string;
};

async function recordActions(run: Run, actions: readonly VehicleAction[]): Promise<void> {
  const bundle = run.plan.bundle;
  for (const action of actions) run.controls.actions[action.vehicleId] = action.state;
  await short.recordFacts(
    actions.map((action) =>
      actionFact(run.scribe, { ...action, bundle, counter: run.touched.get(action.vehicleId) ?? 0 }),
    ),
  );
}

/** Waits for the reports of a wave; a vehicle that refuses, reverts or says nothing stops the rollout. */
async function confirmWave(run: Run, index: number, vehicles: readonly string[]): Promise<Stop | undefined> {
  const awaited = vehicles.map((vehicleId) => ({
    vehicleId,
    bundle: run.plan.bundle,
    counter: run.touched.get(vehicleId) ?? 0,
  }));
  const outcomes = await unlessAborted(run, async () =>
    waiting.awaitVehicles({ vehicles: awaited, untilMs: Date.now() + run.input.health.confirmTimeoutMs }),
  );
  if (outcomes === undefined) return orderedStop(run);
  await recordActions(
    run,
    outcomes.map(({ vehicleId, state, reason }) => ({
      vehicleId,
      state: state === 'reverted' ? 'refused' : state,
      reason,
    })),
  );
  const findings = installFindings(outcomes, run.plan);
  if (findings.length === 0) return undefined;
  const judgement: HealthJudgement = { verdict: 'failed', findings };
  run.controls.findings = findings;
  await short.recordFacts([healthFact(run.scribe, index, judgement)]);
  return { reason: findings.map((finding) => finding.message).join('; ') };
}

type Watch = {
  readonly index: number;
  readonly vehicles: readonly string[];
  readonly sinceMs: number;
  readonly step: string;
};

/** Looks at the wave until it passed or failed; what stays inconclusive until the deadline stops the rollout. */
async function watchWave(run: Run, watch: Watch): Promise<Stop | undefined> {
  const { health } = run.input;
  const deadlineMs = watch.sinceMs + health.exposureTimeoutMs;
  for (;;) {
    await unlessAborted(run, async () => sleep(health.lookEveryMs));
    if (run.controls.abortOrder !== undefined) return orderedStop(run);
    const exposure = await short.collectExposure({ plan: run.plan, treated: watch.vehicles, sinceMs: watch.sinceMs });
    const judgement = judgeHealth(exposure, health);
    run.controls.findings = judgement.findings;
    const windows = exposure.groups.reduce((sum, group) => sum + group.treated.windows, 0);
    run.report(watch.step, 'waiting', `${judgement.verdict} after ${windows} windows`);
    if (judgement.verdict === 'inconclusive' && Date.now() < deadlineMs) continue;
    await short.recordFacts([healthFact(run.scribe, watch.index, judgement)]);
    return stopOf(judgement, watch.sinceMs);
  }
}

function stopOf(judgement: HealthJudgement, sinceMs: number): Stop | undefined {
  const messages = judgement.findings
    .filter((finding) => finding.verdict === judgement.verdict)
    .map((finding) => `${finding.rule} on revision ${finding.hardwareRevision}: ${finding.message}`);
  switch (judgement.verdict) {
    case 'passed':
      return undefined;
    case 'failed':
      return { reason: messages.join('; '), judgement, since: new Date(sinceMs).toISOString() };
    case 'inconclusive':
      return { reason: `still inconclusive at the deadline: ${messages.join('; ')}` };
  }
}

/** Runs work until it ends or somebody aborts; undefined when they do. */
async function unlessAborted<Result>(run: Run, work: () => Promise<Result>): Promise<Result | undefined> {
  const scope = new CancellationScope();
  const working = scope.run(work);
  await Promise.race([working.catch(() => undefined), condition(() => run.controls.abortOrder !== undefined)]);
  if (run.controls.abortOrder === undefined) return working;
  scope.cancel();
  await working.catch(() => undefined);
  return undefined;
}

function orderedStop(run: Run): Stop {
  const order = run.controls.abortOrder;
  return { reason: `aborted by ${order?.by ?? 'nobody'}: ${order?.reason ?? ''}` };
}

async function finishHealthy(run: Run): Promise<RolloutResult> {
  run.controls.enter('healthy');
  const end = {
    phase: run.controls.phase,
    updated: [...run.touched.keys()],
    rolledBack: [],
    reason: 'all waves passed',
    seconds: secondsSince(run.startedMs),
  };
  await short.recordFacts([finishedFact(run.scribe, end)]);
  return { rolloutId: run.input.rolloutId, ...end, anomalyId: null, rollbackSeconds: null };
}

/** Back to the former bundles; opens an anomaly where the model was judged unhealthy. */
async function abort(run: Run, stop: Stop): Promise<RolloutResult> {
  const { controls, scribe, report } = run;
  if (stop.judgement !== undefined) controls.enter('degraded');
  controls.enter('aborted');
  const decidedMs = Date.now();
  const { rolledBack, silent } = await rollBack({
    scribe,
    touched: [...run.touched.keys()],
    health: run.input.health,
    actions: controls.actions,
    report,
  });
  const rollbackSeconds = secondsSince(decidedMs);
  if (silent.length === 0) controls.enter('rolled_back');
  const anomalyId = stop.judgement === undefined ? null : `an-${uuid4().replaceAll('-', '').slice(0, 16)}`;
  const within = `within ${rollbackSeconds.toFixed(1)} s`;
  const back =
    silent.length === 0
      ? `every vehicle back ${within}`
      : `not confirmed on the former bundle ${within}: ${silent.join(', ')}`;
  const end = {
    phase: controls.phase,
    updated: [...run.touched.keys()],
    rolledBack,
    reason: `${stop.reason}; ${back}`.slice(0, 4_000),
    seconds: secondsSince(run.startedMs),
  };
  const since = stop.since ?? new Date(run.startedMs).toISOString();
  const findings = stop.judgement?.findings ?? [];
  const anomaly = anomalyId === null ? [] : [anomalyFact(scribe, { anomalyId, findings, since })];
  await acting.recordFacts([finishedFact(scribe, end), ...anomaly]);
  await restoreChampion(run);
  return { rolloutId: run.input.rolloutId, ...end, anomalyId, rollbackSeconds };
}

/** The alias follows what the fleet runs. MLflow is a mirror: when it does not answer, the rollback is done all the same. */
async function restoreChampion(run: Run): Promise<void> {
  const { formerBundle } = run.plan;
  if (formerBundle === null) return;
  try {
    await mirror.moveChampionToBundle({ bundle: formerBundle });
    run.report('champion in MLflow', 'done');
  } catch (error) {
    const { code, message } = reasonOf(error);
    run.report('champion in MLflow', 'failed', `${code}: ${message}`);
  }
}

const secondsSince = (fromMs: number): number => (Date.now() - fromMs) / 1_000;
