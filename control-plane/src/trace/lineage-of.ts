/**
 * Why: lineage is not recorded beside the facts, it is in them. This says for each fact which nodes it speaks of and
 * which node was made from which.
 */
import type { FactBody, FactKind, LedgerEntry } from '@fleetloop/schemas';
import { edge, lineage, type Lineage, type LineageEdge, node, nodeId, type ResolveName } from './lineage.ts';
import { lineageOfFeatures } from './lineage-of-features.ts';
import { lineageOfFleet } from './lineage-of-fleet.ts';
import { lineageOfRecordings } from './lineage-of-recordings.ts';
import { lineageOfDeployment } from './lineage-of-deployment.ts';

/** Facts that say nothing about what was made from what, and why they do not. Every other kind gives nodes. */
export const FACTS_WITHOUT_LINEAGE = {
  'checkpoint.key_rotated': 'is about the ledger itself, and no thing was made with the key',
  'form.introduced': 'is what later checks compare with; the recording that brought the form is a node already',
} as const satisfies Partial<Record<FactKind, string>>;

const NO_LINEAGE = lineage([]);

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
      return ofEndedCampaign(entry.body, find);
    case 'checkpoint.key_rotated':
    case 'form.introduced':
      return NO_LINEAGE;
    case 'recording.accepted':
    case 'recording.quarantined':
    case 'recording.checked':
    case 'recording.released':
    case 'label.assigned':
      return lineageOfRecordings(entry, find);
    default:
      return ofModelling(entry, stored.sequence, find);
  }
}

type DataKind = Extract<
  LedgerEntry['kind'],
  `${'vehicle' | 'pull' | 'campaign' | 'checkpoint' | 'recording' | 'form' | 'label'}.${string}`
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
      const { report, monitor, monitorName, monitorVersion, verdict, counts, reference, current } = entry.body;
      const { referenceCount, currentCount } = entry.body;
      const id = nodeId.driftReport(report);
      const judge = node('monitor', nodeId.monitor(monitor), `${monitorName}@${monitorVersion}`, {});
      const detail = { verdict, counts, tables: referenceCount + currentCount };
      return lineage(
        [node('drift-report', id, monitorName, detail), judge],
        [...ofTables(id, [...reference, ...current]), edge(id, 'judged_by', judge.id)],
      );
    }
    case 'bias.audited': {
      const { report, audit, auditName, auditVersion, verdict, counts, tables, tableCount } = entry.body;
      const id = nodeId.biasReport(report);
      const judge = node('audit', nodeId.audit(audit), `${auditName}@${auditVersion}`, {});
      return lineage(
        [node('bias-report', id, auditName, { verdict, counts, tables: tableCount }), judge],
        [...ofTables(id, tables), edge(id, 'judged_by', judge.id)],
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

/** Of many tables a fact names the first ones and a count, which stands in the detail of the report. */
function ofTables(report: string, tables: readonly string[]): LineageEdge[] {
  return [...new Set(tables)].map((table) => edge(report, 'computed_from', nodeId.featureTable(table)));
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

/** The version that is current: that is the one that vehicles stopped to capture by. */
function ofEndedCampaign({ campaignId, vehicles, reason }: FactBody<'campaign.ended'>, find: Find): Lineage {
  const id = find(`campaign:${campaignId}`);
  return lineage([node('campaign', id, id.slice('campaign:'.length), { ended: reason, endedFor: vehicles })]);
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
