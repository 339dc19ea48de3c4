/** Why: the second half of the lineage: what became of a model version, from its promotion to the anomaly and the brief. */
import { assertNever, type FactBody, type LedgerEntry } from '@fleetloop/schemas';
import { edge, lineage, type Lineage, node, nodeId } from './lineage.ts';

type DeploymentEntity = 'promotion' | 'bundle' | 'rollout' | 'anomaly' | 'brief' | 'regression';
export type DeploymentEntry = Extract<LedgerEntry, { readonly kind: `${DeploymentEntity}.${string}` }>;
type Find = (name: string) => string;

/** `find` gives the node that a name stood for. */
export function lineageOfDeployment(entry: DeploymentEntry, sequence: number, find: Find): Lineage {
  switch (entry.kind) {
    case 'promotion.proposed': {
      const { promotionId, modelName, modelVersion, gate, proposer, expiresAt } = entry.body;
      const id = nodeId.promotion(promotionId);
      const edges = [
        edge(id, 'proposes', nodeId.model(modelName, modelVersion)),
        edge(id, 'rests_on', nodeId.gate(gate)),
      ];
      return lineage([node('promotion', id, 'proposed', { proposer, expiresAt })], edges);
    }
    case 'promotion.approved': {
      const { promotionId, approver, reason } = entry.body;
      return lineage([node('promotion', nodeId.promotion(promotionId), 'approved', { approver, reason })]);
    }
    case 'promotion.refused': {
      const { promotionId, by, reason } = entry.body;
      return lineage([node('promotion', nodeId.promotion(promotionId), 'refused', { by, reason })]);
    }
    case 'bundle.built': {
      const { bundle, modelName, modelVersion, featureSet, variants, promotion } = entry.body;
      const id = nodeId.bundle(bundle);
      const edges = [
        edge(id, 'packages', nodeId.model(modelName, modelVersion)),
        edge(id, 'computed_with', find(featureSet)),
        edge(id, 'allowed_by', nodeId.promotion(promotion)),
      ];
      return lineage([node('bundle', id, `${modelName}@${modelVersion}`, { variants })], edges);
    }
    case 'rollout.started':
    case 'rollout.wave':
    case 'rollout.action':
    case 'rollout.health':
    case 'rollout.finished':
      return ofRollout(entry, sequence);
    default:
      return ofFeedback(entry, find);
  }
}

type RolloutEntry = Extract<LedgerEntry, { readonly kind: `rollout.${string}` }>;

function ofRollout(entry: RolloutEntry, sequence: number): Lineage {
  const rollout = nodeId.rollout(entry.body.rolloutId);
  switch (entry.kind) {
    case 'rollout.started': {
      const { bundle, formerBundle, waves, healthRule } = entry.body;
      const former = formerBundle === null ? [] : [edge(rollout, 'replaces', nodeId.bundle(formerBundle))];
      return lineage(
        [node('rollout', rollout, 'started', { waves, healthRule })],
        [edge(rollout, 'ships', nodeId.bundle(bundle)), ...former],
      );
    }
    case 'rollout.wave': {
      const { rolloutId, wave, vehicles } = entry.body;
      const id = nodeId.wave(rolloutId, wave);
      const members = vehicles.map((vehicle) => edge(nodeId.action(rolloutId, vehicle), 'part_of', id));
      return lineage([node('wave', id, `wave ${wave}`, { vehicles })], [edge(id, 'part_of', rollout), ...members]);
    }
    case 'rollout.action': {
      const { rolloutId, vehicleId, state, bundle, counter, reason } = entry.body;
      const id = nodeId.action(rolloutId, vehicleId);
      return lineage(
        [node('action', id, state, { bundle, counter, reason })],
        [edge(id, 'part_of', rollout), edge(id, 'on', nodeId.vehicle(vehicleId))],
      );
    }
    case 'rollout.health': {
      const { rolloutId, wave, verdict, findings } = entry.body;
      const id = nodeId.health(rolloutId, sequence);
      const detail = { wave, findings: findings.map((finding) => finding.message) };
      const names = verdict === 'failed' ? [{ name: `health:${rolloutId}`, node: id }] : [];
      return lineage([node('health', id, verdict, detail)], [edge(id, 'judges', rollout)], names);
    }
    case 'rollout.finished': {
      const { rolloutId, phase, updated, rolledBack, reason, seconds } = entry.body;
      const end = node('rollout', rollout, phase, { updated, rolledBack, reason, seconds });
      if (rolledBack.length === 0) return lineage([end]);
      const id = nodeId.rollback(rolloutId);
      return lineage(
        [end, node('rollback', id, `${rolledBack.length} vehicles`, { rolledBack, seconds, reason })],
        [edge(id, 'undoes', rollout)],
      );
    }
    default:
      return assertNever(entry);
  }
}

type FeedbackEntry = Extract<
  LedgerEntry,
  { readonly kind: `anomaly.${string}` | `brief.${string}` | `regression.${string}` }
>;

function ofFeedback(entry: FeedbackEntry, find: Find): Lineage {
  switch (entry.kind) {
    case 'anomaly.opened':
      return ofAnomaly(entry.body, find);
    case 'brief.opened': {
      const { briefId, anomalyId, owner, vehicles, recordingsWanted, text } = entry.body;
      const id = nodeId.brief(briefId);
      return lineage(
        [node('brief', id, 'opened', { owner, vehicles, recordingsWanted, text })],
        [edge(id, 'opened_for', nodeId.anomaly(anomalyId))],
      );
    }
    case 'brief.closed': {
      const { briefId, recordings, dataset, outcome } = entry.body;
      const id = nodeId.brief(briefId);
      const answers = recordings.map((recording) => edge(nodeId.recording(recording), 'answers', id));
      const built = dataset === null ? [] : [edge(find(dataset), 'built_for', id)];
      return lineage([node('brief', id, 'closed', { recordings: recordings.length, outcome })], [...answers, ...built]);
    }
    case 'regression.added': {
      const { regressionId, anomalyId, policyName, slice, formerModel } = entry.body;
      const id = nodeId.regression(regressionId);
      const edges = [edge(id, 'made_from', nodeId.anomaly(anomalyId)), edge(id, 'holds_against', find(formerModel))];
      return lineage([node('regression', id, slice.name, { policyName, slice })], edges);
    }
    default:
      return assertNever(entry);
  }
}

function ofAnomaly(body: FactBody<'anomaly.opened'>, find: Find): Lineage {
  const { anomalyId, rolloutId, vehicles, hardwareRevision, feature, since, findings } = body;
  const id = nodeId.anomaly(anomalyId);
  const health = `health:${rolloutId}`;
  const cause = find(health);
  const detail = { hardwareRevision, feature, since, vehicles, findings: findings.map((finding) => finding.message) };
  const edges = [
    edge(id, 'seen_in', nodeId.rollout(rolloutId)),
    ...(cause === health ? [] : [edge(id, 'found_by', cause)]),
    ...vehicles.map((vehicle) => edge(id, 'seen_on', nodeId.action(rolloutId, vehicle))),
    // Shown only once the rollback itself is a fact: it may come before or after the anomaly.
    edge(nodeId.rollback(rolloutId), 'answers', id),
  ];
  return lineage([node('anomaly', id, `revision ${hardwareRevision}: ${feature}`, detail)], edges);
}
