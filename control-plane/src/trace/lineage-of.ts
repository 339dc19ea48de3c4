/**
 * Why: lineage is not recorded beside the facts, it is in them. This says for each fact which nodes it speaks of and
 * which node was made from which.
 */
import type { FactBody, LedgerEntry } from '@fleetloop/schemas';
import { edge, lineage, type Lineage, node, nodeId, type ResolveName } from './lineage.ts';
import { lineageOfFeatures } from './lineage-of-features.ts';
import { lineageOfFleet } from './lineage-of-fleet.ts';
import { lineageOfDeployment } from './lineage-of-deployment.ts';

/** The nodes, edges and names of one entry. A digest that nothing stands for yet becomes the node `digest:<digest>`. */
export function lineageOf(
  stored: { readonly sequence: number; readonly entry: LedgerEntry },
  resolve: ResolveName,
): Lineage {
  const { entry } = stored;
  const find = (name: string): string => resolve(name) ?? (name.startsWith('sha256:') ? `digest:${name}` : name);
  switch (entry.kind) {
    case 'vehicle.enrolled':
    case 'vehicle.renewed':
    case 'vehicle.revoked':
    case 'recording.evicted':
    case 'pull.requested':
    case 'pull.cancelled':
    case 'pull.finished':
      return lineageOfFleet(entry, find);
    case 'campaign.published':
      return ofCampaign(entry.body);
    case 'campaign.ended':
    case 'checkpoint.key_rotated':
    // What was found is asked of the findings; the recording is a node already.
    case 'recording.checked':
      return lineage([]);
    case 'recording.accepted':
      return ofRecording(entry.body, find);
    case 'recording.quarantined':
      return ofQuarantine(entry.body);
    case 'label.assigned': {
      const { recording, label, annotator, method } = entry.body;
      const id = nodeId.label(recording, label);
      return lineage(
        [node('label', id, label, { annotator, method })],
        [edge(id, 'describes', nodeId.recording(recording))],
      );
    }
    default:
      return ofModelling(entry, stored.sequence, find);
  }
}

type DataKind = Extract<
  LedgerEntry['kind'],
  `${'vehicle' | 'pull' | 'campaign' | 'checkpoint' | 'recording' | 'label'}.${string}`
>;
type Find = (name: string) => string;

function ofModelling(entry: Exclude<LedgerEntry, { readonly kind: DataKind }>, sequence: number, find: Find): Lineage {
  switch (entry.kind) {
    case 'feature_set.registered':
    case 'feature_set.validated':
    case 'feature_set.activated':
    case 'feature_set.deprecated':
    case 'features.computed':
    case 'skew.evaluated':
      return lineageOfFeatures(entry, find);
    case 'dataset.frozen':
      return ofDataset(entry.body);
    case 'feature_table.computed': {
      const { digest, dataset, featureSet, rows, trainRows, testRows } = entry.body;
      const id = nodeId.featureTable(digest);
      const edges = [edge(id, 'computed_from', find(dataset)), edge(id, 'computed_with', find(featureSet))];
      return lineage([node('feature-table', id, `${rows} windows`, { trainRows, testRows })], edges);
    }
    case 'drift.evaluated': {
      const { report, monitorName, verdict, counts, reference, current } = entry.body;
      const id = nodeId.driftReport(report);
      const tables = [...new Set([...reference, ...current])].map((table) =>
        edge(id, 'computed_from', nodeId.featureTable(table)),
      );
      return lineage([node('drift-report', id, monitorName, { verdict, counts })], tables);
    }
    case 'bias.audited': {
      const { report, auditName, verdict, counts, tables } = entry.body;
      const id = nodeId.biasReport(report);
      return lineage(
        [node('bias-report', id, auditName, { verdict, counts })],
        [...new Set(tables)].map((table) => edge(id, 'computed_from', nodeId.featureTable(table))),
      );
    }
    case 'run.finished': {
      const { runId, trainer, seed, featureTable, parameters, metrics, mlflowRunId } = entry.body;
      const id = nodeId.run(runId);
      return lineage(
        [node('run', id, trainer, { seed, parameters, metrics, mlflowRunId })],
        [edge(id, 'trained_on', nodeId.featureTable(featureTable))],
      );
    }
    case 'run.failed': {
      const { runId, dataset, code, message } = entry.body;
      return lineage(
        [node('run', nodeId.run(runId), `failed: ${code}`, { code, message })],
        [edge(nodeId.run(runId), 'trained_on', find(dataset))],
      );
    }
    case 'model.registered': {
      const { name, version, model, runId } = entry.body;
      const id = nodeId.model(name, version);
      return lineage(
        [node('model', id, `${name}@${version}`, { digest: model })],
        [edge(id, 'produced_by', nodeId.run(runId))],
        [{ name: model, node: id }],
      );
    }
    case 'gate.evaluated':
      return ofGate(entry.body, find);
    default:
      return lineageOfDeployment(entry, sequence, find);
  }
}

function ofCampaign({ campaign, digest, vehicles, brief }: FactBody<'campaign.published'>): Lineage {
  const id = nodeId.campaign(campaign.id, campaign.version);
  const detail = { digest, condition: campaign.condition, owner: campaign.owner, vehicles };
  const edges = brief === null ? [] : [edge(id, 'asked_for_by', nodeId.brief(brief))];
  // An event names its campaigns by id alone; it is tied to the version that was current when it arrived.
  return lineage([node('campaign', id, `${campaign.id}@${campaign.version}`, detail)], edges, [
    { name: `campaign:${campaign.id}`, node: id },
  ]);
}

function ofRecording({ recording, source, messages, metadata }: FactBody<'recording.accepted'>, find: Find): Lineage {
  const id = nodeId.recording(recording);
  const vehicle = nodeId.vehicle(metadata.vehicle.id);
  const self = node('recording', id, metadata.session.name, {
    source,
    messages,
    hardwareRevision: metadata.vehicle.hardwareRevision,
  });
  const brief = [
    ...(metadata.brief === undefined ? [] : [edge(id, 'answers', nodeId.brief(metadata.brief))]),
    ...(metadata.pull === undefined ? [] : [edge(id, 'answers', nodeId.pull(metadata.pull))]),
  ];
  if (metadata.event === undefined) return lineage([self], [edge(id, 'recorded_by', vehicle), ...brief]);
  const event = nodeId.event(metadata.event.id);
  const { startNs, endNs, triggers, campaigns } = metadata.event;
  const asked = campaigns.map((campaign) => edge(event, 'asked_for_by', find(`campaign:${campaign}`)));
  const captured = node('event', event, metadata.session.name, { startNs, endNs, triggers: triggers.length });
  return lineage([self, captured], [edge(id, 'holds', event), edge(event, 'captured_by', vehicle), ...asked, ...brief]);
}

/** A quarantined upload is a node of its own: what it claims to be is not to be believed. */
function ofQuarantine({
  recording,
  vehicleId,
  eventId,
  code,
  message,
  source,
}: FactBody<'recording.quarantined'>): Lineage {
  const id = nodeId.quarantine(recording);
  const edges = vehicleId === '' ? [] : [edge(id, 'recorded_by', nodeId.vehicle(vehicleId))];
  return lineage([node('quarantine', id, code, { message, source, eventId })], edges);
}

function ofDataset({ digest, dataset, version, document }: FactBody<'dataset.frozen'>): Lineage {
  const id = nodeId.dataset(dataset, version);
  const counts = { digest, recordings: document.recordings.length, exclusions: document.exclusions.length };
  const edges = document.recordings.flatMap(({ recording, split, label }) => [
    edge(id, split === 'train' ? 'trains_on' : 'tests_on', nodeId.recording(recording)),
    edge(id, 'labelled_by', nodeId.label(recording, label)),
  ]);
  const left = document.exclusions.map(({ recording }) => edge(id, 'excludes', nodeId.recording(recording)));
  return lineage(
    [node('dataset', id, `${dataset}/${version}`, counts)],
    [...edges, ...left],
    [{ name: digest, node: id }],
  );
}

function ofGate(body: FactBody<'gate.evaluated'>, find: Find): Lineage {
  const id = nodeId.gate(body.gateId);
  const policy = nodeId.policy(body.policy);
  const { verdict, overall, decidedBy } = body.result;
  const edges = [
    edge(id, 'evaluates', nodeId.model(body.modelName, body.modelVersion)),
    edge(id, 'judged_on', find(body.dataset)),
    edge(id, 'judged_by', policy),
  ];
  return lineage(
    [
      node('gate', id, verdict, { overall, decidedBy, predictions: body.predictions }),
      node('policy', policy, 'policy', {}),
    ],
    edges,
  );
}
