/** Why: a rollout writes what happened to each vehicle as facts; their form is decided here, apart from the order of steps. */
import type { FactBody, HealthFinding, NewFact } from '@fleetloop/schemas';
import type { RolloutPlan, VehicleOutcome } from '../ports.ts';
import type { HealthJudgement } from './health-verdict.ts';
import type { RolloutPhase } from './rollout-phase.ts';

type ActionState = FactBody<'rollout.action'>['state'];

/** Writes the facts of one rollout under one key. */
export type RolloutScribe = { readonly rolloutId: string; readonly actor: string; readonly plan: RolloutPlan };

export function startedFact(scribe: RolloutScribe, waves: readonly (readonly string[])[], healthRule: string): NewFact {
  const { bundle, formerBundle, model } = scribe.plan;
  const body = {
    rolloutId: scribe.rolloutId,
    bundle,
    formerBundle,
    model,
    waves: waves.map((wave) => [...wave]),
    healthRule,
  };
  return { kind: 'rollout.started', key: scribe.rolloutId, actor: scribe.actor, evidence: [bundle, model], body };
}

export function waveFact(scribe: RolloutScribe, wave: number, vehicles: readonly string[]): NewFact {
  return {
    kind: 'rollout.wave',
    key: scribe.rolloutId,
    actor: scribe.actor,
    body: { rolloutId: scribe.rolloutId, wave, vehicles: [...vehicles] },
  };
}

export type Action = {
  readonly vehicleId: string;
  readonly state: ActionState;
  readonly bundle: string | null;
  readonly counter: number;
  readonly reason: string;
};

export function actionFact(scribe: RolloutScribe, action: Action): NewFact {
  return {
    kind: 'rollout.action',
    key: scribe.rolloutId,
    actor: scribe.actor,
    body: { rolloutId: scribe.rolloutId, ...action },
  };
}

export function healthFact(scribe: RolloutScribe, wave: number, judgement: HealthJudgement): NewFact {
  const body = { rolloutId: scribe.rolloutId, wave, verdict: judgement.verdict, findings: [...judgement.findings] };
  return { kind: 'rollout.health', key: scribe.rolloutId, actor: scribe.actor, body };
}

export type RolloutEnd = {
  readonly phase: RolloutPhase;
  readonly updated: readonly string[];
  readonly rolledBack: readonly string[];
  readonly reason: string;
  readonly seconds: number;
};

export function finishedFact(scribe: RolloutScribe, end: RolloutEnd): NewFact {
  const body = { rolloutId: scribe.rolloutId, ...end, updated: [...end.updated], rolledBack: [...end.rolledBack] };
  return {
    kind: 'rollout.finished',
    key: scribe.rolloutId,
    actor: scribe.actor,
    reason: end.reason.slice(0, 4_000),
    body,
  };
}

export type AnomalyCause = {
  readonly anomalyId: string;
  readonly findings: readonly HealthFinding[];
  readonly since: string;
};

/** The anomaly of a failed wave: the hardware revision of the first failed finding, its vehicles and the feature named. */
export function anomalyFact(scribe: RolloutScribe, cause: AnomalyCause): NewFact {
  const failed = cause.findings.filter((finding) => finding.verdict === 'failed');
  const hardwareRevision = failed[0]?.hardwareRevision ?? 'unknown';
  const vehicles = [
    ...new Set(
      failed.filter((finding) => finding.hardwareRevision === hardwareRevision).flatMap((finding) => finding.vehicles),
    ),
  ].sort();
  const feature = failed.find((finding) => finding.feature !== undefined)?.feature ?? failed[0]?.rule ?? 'unknown';
  const { bundle, model } = scribe.plan;
  return {
    kind: 'anomaly.opened',
    key: cause.anomalyId,
    actor: scribe.actor,
    reason: failed
      .map((finding) => finding.message)
      .join('; ')
      .slice(0, 4_000),
    evidence: [bundle, model],
    body: {
      anomalyId: cause.anomalyId,
      rolloutId: scribe.rolloutId,
      bundle,
      model,
      vehicles,
      hardwareRevision,
      feature,
      since: cause.since,
      findings: [...cause.findings],
    },
  };
}

/** A vehicle that did not take the bundle fails the wave: no health rule has to look further. */
export function installFindings(outcomes: readonly VehicleOutcome[], plan: RolloutPlan): readonly HealthFinding[] {
  return outcomes
    .filter((outcome) => outcome.state !== 'confirmed')
    .map((outcome) => ({
      rule: 'installation',
      verdict: 'failed',
      hardwareRevision: plan.hardware[outcome.vehicleId] ?? '',
      value: null,
      limit: null,
      windows: 0,
      controlWindows: 0,
      vehicles: [outcome.vehicleId],
      message: `${outcome.vehicleId} is ${outcome.state}: ${outcome.reason}`.slice(0, 4_000),
    }));
}
