/** Why: the rows of what became of a model version: promotions, bundles, rollouts, anomalies, briefs. */
import { assertNever, type LedgerEntry } from '@fleetloop/schemas';
import { row, type TableRow } from './tables.ts';

type DeploymentEntity = 'promotion' | 'bundle' | 'rollout' | 'anomaly' | 'brief' | 'regression';
type DeploymentEntry = Extract<LedgerEntry, { readonly kind: `${DeploymentEntity}.${string}` }>;

/** One row for each fact, but none for a wave, which the lineage shows. */
export function deploymentRows(entry: DeploymentEntry): readonly TableRow[] {
  switch (entry.kind) {
    case 'promotion.proposed': {
      const { promotionId, model, modelName, modelVersion, gate, proposer } = entry.body;
      const named = { promotion_id: promotionId, model_name: modelName, model_version: modelVersion };
      return [
        row('promotions', { ...named, state: 'proposed', model, gate, actor: proposer, reason: entry.reason ?? null }),
      ];
    }
    case 'promotion.approved': {
      const { promotionId, model, approver, reason } = entry.body;
      return [row('promotions', { promotion_id: promotionId, state: 'approved', model, actor: approver, reason })];
    }
    case 'promotion.refused': {
      const { promotionId, model, by, reason } = entry.body;
      return [row('promotions', { promotion_id: promotionId, state: 'refused', model, actor: by, reason })];
    }
    case 'bundle.built': {
      const { bundle, model, modelName, modelVersion, featureSet, promotion } = entry.body;
      return [
        row('bundles', {
          bundle,
          model,
          model_name: modelName,
          model_version: modelVersion,
          feature_set: featureSet,
          promotion,
        }),
      ];
    }
    case 'rollout.started': {
      const { rolloutId, bundle, formerBundle, model } = entry.body;
      return [row('rollouts', { rollout_id: rolloutId, phase: 'started', bundle, former_bundle: formerBundle, model })];
    }
    case 'rollout.wave':
      return [];
    case 'rollout.action': {
      const { rolloutId, vehicleId, state, bundle, counter, reason } = entry.body;
      return [row('actions', { rollout_id: rolloutId, vehicle_id: vehicleId, state, bundle, counter, reason })];
    }
    case 'rollout.health': {
      const { rolloutId, wave, verdict, findings } = entry.body;
      return [row('health', { rollout_id: rolloutId, wave, verdict, findings })];
    }
    case 'rollout.finished': {
      const { rolloutId, phase, updated, rolledBack, seconds, reason } = entry.body;
      return [row('rollouts', { rollout_id: rolloutId, phase, updated, rolled_back: rolledBack, seconds, reason })];
    }
    default:
      return feedbackRows(entry);
  }
}

type FeedbackEntry = Extract<
  LedgerEntry,
  { readonly kind: `anomaly.${string}` | `brief.${string}` | `regression.${string}` }
>;

function feedbackRows(entry: FeedbackEntry): readonly TableRow[] {
  switch (entry.kind) {
    case 'anomaly.opened': {
      const { anomalyId, rolloutId, bundle, model, vehicles, hardwareRevision, feature, since } = entry.body;
      const named = { anomaly_id: anomalyId, rollout_id: rolloutId, hardware_revision: hardwareRevision };
      return [row('anomalies', { ...named, bundle, model, vehicles, feature, since })];
    }
    case 'brief.opened': {
      const { briefId, anomalyId, owner, vehicles, recordingsWanted } = entry.body;
      return [
        row('briefs', {
          brief_id: briefId,
          state: 'opened',
          anomaly_id: anomalyId,
          owner,
          vehicles,
          recordings_wanted: recordingsWanted,
        }),
      ];
    }
    case 'brief.closed': {
      const { briefId, recordings, dataset, outcome } = entry.body;
      return [row('briefs', { brief_id: briefId, state: 'closed', recordings, dataset, outcome })];
    }
    case 'regression.added': {
      const { regressionId, anomalyId, policyName, slice, formerModel } = entry.body;
      return [
        row('regressions', {
          regression_id: regressionId,
          anomaly_id: anomalyId,
          policy: policyName,
          slice,
          former_model: formerModel,
        }),
      ];
    }
    default:
      return assertNever(entry);
  }
}
