/** Why: what the tables say about one ledger entry, as a pure function, so that replaying gives the same rows. */
import { type FactBody, filterableCircumstances, type LedgerEntry } from '@fleetloop/schemas';
import type { StoredEntry } from '../ports.ts';
import type { ResolveName } from '../trace/lineage.ts';
import { lineageOf } from '../trace/lineage-of.ts';
import { checkRows, formRows } from '../quality/check-rows.ts';
import { lostRow, pullRow, vehicleRows } from './fleet-rows.ts';
import { featureSetRows } from '../features/feature-set-rows.ts';
import { deploymentRows } from './deployment-rows.ts';
import { JsonText, row, type TableRow } from './tables.ts';

/** All rows that an entry adds. `resolve` names the node that a digest or short name stood for when the entry was written. */
export function rowsOf(stored: StoredEntry, resolve: ResolveName): readonly TableRow[] {
  const lineage = lineageOf(stored, resolve);
  return [
    factRow(stored),
    ...entityRows(stored.entry),
    ...lineage.nodes.map((node) => row('nodes', { ...node, at: stored.entry.at })),
    ...lineage.edges.map(({ from, relation, to }) => row('edges', { from_id: from, relation, to_id: to })),
    ...lineage.names.map((name) => row('names', name)),
  ];
}

function factRow({ entry, bodyText }: StoredEntry): TableRow {
  const dot = entry.subject.indexOf('.');
  return row('facts', {
    kind: entry.kind,
    entity: entry.subject.slice(0, dot),
    key: entry.subject.slice(dot + 1),
    at: entry.at,
    at_ms: Date.parse(entry.at),
    actor: entry.actor,
    reason: entry.reason ?? null,
    evidence: entry.evidence,
    body: bodyText === undefined ? entry.body : new JsonText(bodyText),
  });
}

function entityRows(entry: LedgerEntry): readonly TableRow[] {
  switch (entry.kind) {
    case 'vehicle.enrolled':
    case 'vehicle.renewed':
    case 'vehicle.revoked':
      return vehicleRows(entry);
    case 'campaign.published': {
      const { campaign, digest, vehicles, brief } = entry.body;
      return [
        row('campaigns', {
          campaign: campaign.id,
          version: campaign.version,
          digest,
          vehicles,
          brief,
          document: campaign,
        }),
      ];
    }
    // Who asks for it reads the fact itself.
    case 'campaign.ended':
    case 'checkpoint.key_rotated':
      return [];
    case 'recording.released':
      return [row('released', entry.body)];
    case 'recording.accepted':
      return [recordingRow(entry.body)];
    case 'recording.quarantined': {
      const { recording, vehicleId, eventId, code, message, source, report = null } = entry.body;
      return [row('quarantine', { recording, vehicle_id: vehicleId, event: eventId, code, message, source, report })];
    }
    case 'recording.checked':
      return checkRows(entry.body);
    case 'form.introduced':
      return formRows(entry.body);
    case 'recording.evicted':
      return [lostRow(entry.body)];
    case 'pull.requested':
    case 'pull.cancelled':
    case 'pull.finished':
      return [pullRow(entry)];
    case 'label.assigned':
      return [row('labels', entry.body)];
    default:
      return modelRows(entry);
  }
}

type AfterData = Exclude<
  LedgerEntry['kind'],
  `${'vehicle' | 'pull' | 'campaign' | 'checkpoint' | 'recording' | 'form' | 'label'}.${string}`
>;
type EntryOf<Kind extends LedgerEntry['kind']> = Extract<LedgerEntry, { readonly kind: Kind }>;

function modelRows(entry: EntryOf<AfterData>): readonly TableRow[] {
  switch (entry.kind) {
    case 'feature_set.registered':
    case 'feature_set.validated':
    case 'feature_set.activated':
    case 'feature_set.deprecated':
      return featureSetRows(entry);
    case 'dataset.frozen':
      return datasetRows(entry.body);
    case 'feature_table.computed': {
      const { digest, dataset, featureSet, rows, trainRows, testRows } = entry.body;
      return [
        row('feature_tables', {
          digest,
          dataset,
          feature_set: featureSet,
          rows,
          train_rows: trainRows,
          test_rows: testRows,
        }),
      ];
    }
    // Who asks for it reads the fact itself.
    case 'drift.evaluated':
    case 'bias.audited':
    case 'skew.evaluated':
    case 'features.computed':
      return [];
    case 'run.finished': {
      const { runId, mlflowRunId, trainer, seed, dataset, featureTable, featureSet, model, seconds } = entry.body;
      const named = { mlflow_run_id: mlflowRunId, feature_table: featureTable, feature_set: featureSet };
      return [
        row('runs', {
          run_id: runId,
          state: 'finished',
          trainer,
          seed,
          dataset,
          model,
          seconds,
          message: null,
          ...named,
        }),
      ];
    }
    case 'run.failed': {
      const { runId, dataset, code, message } = entry.body;
      return [row('runs', { run_id: runId, state: 'failed', dataset, message: `${code}: ${message}` })];
    }
    case 'model.registered': {
      const { name, version, model, runId, dataset, featureSet } = entry.body;
      return [row('models', { name, version, model, run_id: runId, dataset, feature_set: featureSet })];
    }
    case 'gate.evaluated':
      return gateRows(entry.body);
    default:
      return deploymentRows(entry);
  }
}

function recordingRow(body: FactBody<'recording.accepted'>): TableRow {
  const { metadata, timeOfDay } = body;
  const circumstances = filterableCircumstances(metadata, timeOfDay);
  return row('recordings', {
    recording: body.recording,
    source: body.source,
    size_bytes: body.sizeBytes,
    messages: body.messages,
    start_ns: BigInt(body.startNs),
    end_ns: BigInt(body.endNs),
    vehicle_id: metadata.vehicle.id,
    hardware_revision: metadata.vehicle.hardwareRevision,
    software_version: metadata.software.version,
    session: metadata.session.name,
    event: metadata.event?.id ?? null,
    brief: metadata.brief ?? null,
    pull: metadata.pull ?? null,
    attributes: metadata.session.attributes,
    topics: body.topics,
    manifest: body.manifest,
    time_of_day: circumstances.timeOfDay,
    sun_elevation_degrees: timeOfDay?.sunElevationDegrees ?? null,
    weather: circumstances.weather,
    place_class: circumstances.placeClass,
    firmware: circumstances.firmware,
    models: circumstances.models,
    operator: circumstances.operator,
    consent: circumstances.consent,
    consent_scope: circumstances.consentScope,
    consent_expires_at: circumstances.consentExpiresAt,
    licence: circumstances.licence,
    licence_scope: circumstances.licenceScope,
    licence_expires_at: circumstances.licenceExpiresAt,
    synthetic: circumstances.synthetic,
    generator: circumstances.generator,
    import_key: body.importKey ?? null,
  });
}

function datasetRows({ digest, dataset, version, document }: FactBody<'dataset.frozen'>): readonly TableRow[] {
  const counts = { recordings: document.recordings.length, excluded: document.exclusions.length };
  return [
    row('datasets', { dataset, version, digest, specification: document.specification, ...counts }),
    ...document.recordings.map(({ recording, session, split, label, vehicle, hardwareRevision, brief }) =>
      row('dataset_recordings', {
        digest,
        recording,
        session,
        split,
        label,
        vehicle_id: vehicle,
        hardware_revision: hardwareRevision,
        brief,
      }),
    ),
    ...document.exclusions.map((exclusion) => row('dataset_exclusions', { digest, ...exclusion })),
  ];
}

function gateRows(body: FactBody<'gate.evaluated'>): readonly TableRow[] {
  const { gateId, model, modelName, modelVersion, dataset, policy, result } = body;
  const named = { gate_id: gateId, model_name: modelName, model_version: modelVersion };
  return [
    row('gates', {
      ...named,
      model,
      dataset,
      policy,
      verdict: result.verdict,
      overall: result.overall,
      decided_by: result.decidedBy,
    }),
    ...result.slices.map(({ name, value, lowerBound, count, runs, required, threshold, verdict }) =>
      row('gate_slices', {
        gate_id: gateId,
        name,
        value,
        lower_bound: lowerBound,
        count,
        runs,
        required,
        threshold,
        verdict,
      }),
    ),
  ];
}
