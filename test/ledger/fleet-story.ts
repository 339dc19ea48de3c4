/** One small fleet from enrolment to the fix: a fact of every kind, in the order in which they come about. */
import {
  type Campaign,
  type DatasetVersion,
  type Digest,
  type FeatureSet,
  type GateResult,
  type HealthFinding,
  type NewFact,
  parseDigest,
  type RecordingMetadata,
} from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { lifeOfFeatureSet } from './feature-story.ts';
import { auditsOfFleet } from './audit-story.ts';
import { lifeOfVehicle } from './vehicle-story.ts';

/** A digest that says what it stands for only to this test. */
export function digest(name: string): Digest {
  return digestOfBytes(Buffer.from(name));
}

const keyOf = (of: string): string => parseDigest(of).slice('sha256:'.length);
const AT = '2026-11-20T10:00:00.000Z';

export const CAMPAIGN: Campaign = {
  kind: 'campaign',
  id: 'hard-brake',
  version: 1,
  description: '',
  owner: 'ops',
  priority: 'safety',
  inputs: [{ kind: 'signal', name: 'a', path: 'Vehicle.Acceleration.Longitudinal', unit: 'm/s^2' }],
  condition: 'abs(a) >= 3.4',
  preWindowMs: 10_000,
  postWindowMs: 5_000,
  cooldownMs: 0,
  eventMsMax: 600_000,
};

const FEATURE_SET: FeatureSet = {
  kind: 'feature-set',
  name: 'norms',
  version: 1,
  owner: 'ops',
  validator: 'qa',
  date: '2026-11-01',
  entity: 'vehicle',
  window: { lengthMs: 5_000, hopMs: 5_000 },
  signals: [{ name: 'x', path: 'Vehicle.Speed', unit: 'km/h', samplesMin: 1 }],
  derived: [],
  features: [{ name: 'x_mean', input: 'x', transform: 'mean' }],
  tolerance: { absolute: 0, relative: 1e-9 },
  latencyBudgetMs: 5,
};

export function recordingAccepted(
  name: string,
  options: { readonly vehicle: string; readonly event?: string; readonly campaign?: string; readonly brief?: string },
): NewFact {
  const event =
    options.event === undefined
      ? {}
      : {
          event: {
            id: options.event,
            startNs: '1',
            endNs: '2',
            triggers: [],
            campaigns: [options.campaign ?? CAMPAIGN.id],
          },
        };
  const metadata: RecordingMetadata = {
    vehicle: { id: options.vehicle, hardwareRevision: 'B' },
    software: { name: 'agent', version: '1.0.0' },
    session: { name, attributes: { place: 'Oulu' } },
    clock: { source: 'gnss', uncertaintyNs: '1000' },
    gaps: [],
    loss: {},
    ...event,
    ...(options.brief === undefined ? {} : { brief: options.brief }),
  };
  const recording = digest(name);
  const body = {
    recording,
    source: 'uplink',
    sizeBytes: 10,
    messages: 3,
    startNs: '1790000000000000001',
    endNs: '1790000000000000002',
    topics: { '/a': 3 },
    metadata,
    manifest: null,
  } as const;
  return { kind: 'recording.accepted', key: keyOf(recording), actor: 'ingest', body };
}

function dataset(version: string, names: readonly string[], excluded: readonly string[]): NewFact {
  const document: DatasetVersion = {
    kind: 'dataset-version',
    dataset: 'terrain',
    version,
    specification: digest(`specification ${version}`),
    recordings: names.map((name, index) => ({
      recording: digest(name),
      session: name,
      split: index === 0 ? 'test' : 'train',
      label: 'ICE',
      vehicle: 'v-1',
      hardwareRevision: 'B',
      softwareVersion: '1',
      brief: null,
    })),
    exclusions: excluded.map((name) => ({ recording: digest(name), session: name, reason: 'too short' })),
  };
  return {
    kind: 'dataset.frozen',
    key: `terrain-${version}`,
    actor: 'worker',
    evidence: [digest('specification')],
    body: { digest: digest(`dataset ${version}`), dataset: 'terrain', version, document },
  };
}

const PASSED: GateResult = {
  verdict: 'passed',
  overall: 0.9,
  decidedBy: 'ICE',
  assumption: 'runs are independent',
  slices: [
    {
      name: 'ICE',
      value: 0.8,
      lowerBound: 0.7,
      count: 100,
      runs: 4,
      required: true,
      threshold: 0.5,
      verdict: 'passed',
      reason: '',
    },
  ],
};

/** Training, gate and registration of one model version on one dataset version. */
function trained(version: number, datasetVersion: string): NewFact[] {
  const [model, table] = [digest(`model ${version}`), digest(`table ${datasetVersion}`)];
  const [data, features] = [digest(`dataset ${datasetVersion}`), digest('feature set')];
  return [
    {
      kind: 'feature_table.computed',
      key: keyOf(table),
      actor: 'worker',
      body: { digest: table, dataset: data, featureSet: features, rows: 9, recordings: 2, trainRows: 6, testRows: 3 },
    },
    {
      kind: 'run.finished',
      key: `run-${version}`,
      actor: 'worker',
      body: {
        runId: `run-${version}`,
        mlflowRunId: null,
        trainer: 'reference',
        seed: 1,
        dataset: data,
        featureTable: table,
        featureSet: features,
        model,
        artifacts: {},
        parameters: { depth: 4 },
        metrics: { accuracy: 0.9 },
        seconds: 1.5,
      },
    },
    {
      kind: 'model.registered',
      key: `terrain-${version}`,
      actor: 'worker',
      body: {
        name: 'terrain',
        version,
        model,
        runId: `run-${version}`,
        dataset: data,
        featureSet: features,
        datasetName: `terrain/${datasetVersion}`,
        featureSetName: 'norms',
      },
    },
    {
      kind: 'gate.evaluated',
      key: `ga-${version}`,
      actor: 'worker',
      body: {
        gateId: `ga-${version}`,
        model,
        modelName: 'terrain',
        modelVersion: version,
        dataset: data,
        policy: digest('policy'),
        predictions: digest(`predictions ${version}`),
        result: PASSED,
      },
    },
  ];
}

/** Promotion, bundle and the beginning of a rollout of one model version. */
function shipped(version: number, former: Digest | null): NewFact[] {
  const [model, bundle] = [digest(`model ${version}`), digest(`bundle ${version}`)];
  const [promotionId, rolloutId] = [`pr-${version}`, `ro-${version}`];
  const data = digest('dataset v1');
  const action = (vehicleId: string, state: 'assigned' | 'confirmed'): NewFact => ({
    kind: 'rollout.action',
    key: rolloutId,
    actor: 'worker',
    body: { rolloutId, vehicleId, state, bundle, counter: version, reason: '' },
  });
  return [
    {
      kind: 'promotion.proposed',
      key: promotionId,
      actor: 'anna',
      body: {
        promotionId,
        modelName: 'terrain',
        modelVersion: version,
        model,
        gate: `ga-${version}`,
        dataset: data,
        policy: digest('policy'),
        proposer: 'anna',
        expiresAt: AT,
      },
    },
    {
      kind: 'promotion.approved',
      key: promotionId,
      actor: 'ben',
      body: { promotionId, model, dataset: data, policy: digest('policy'), approver: 'ben', reason: 'numbers hold' },
    },
    {
      kind: 'bundle.built',
      key: keyOf(bundle),
      actor: 'worker',
      body: {
        bundle,
        model,
        modelName: 'terrain',
        modelVersion: version,
        featureSet: digest('feature set'),
        variants: { fp32: model },
        promotion: promotionId,
      },
    },
    {
      kind: 'rollout.started',
      key: rolloutId,
      actor: 'anna',
      body: { rolloutId, bundle, formerBundle: former, model, waves: [['v-1'], ['v-2']], healthRule: 'output mix' },
    },
    { kind: 'rollout.wave', key: rolloutId, actor: 'worker', body: { rolloutId, wave: 0, vehicles: ['v-1'] } },
    action('v-1', 'assigned'),
    action('v-1', 'confirmed'),
  ];
}

const FINDING: HealthFinding = {
  rule: 'output-mix',
  verdict: 'failed',
  hardwareRevision: 'B',
  value: 1,
  limit: 0.5,
  windows: 50,
  controlWindows: 50,
  vehicles: ['v-1'],
  message: 'every window is SNOW',
};

function goneWrong(): NewFact[] {
  const [bundle, model] = [digest('bundle 2'), digest('model 2')];
  return [
    {
      kind: 'rollout.health',
      key: 'ro-2',
      actor: 'worker',
      body: { rolloutId: 'ro-2', wave: 0, verdict: 'failed', findings: [FINDING] },
    },
    {
      kind: 'anomaly.opened',
      key: 'an-1',
      actor: 'worker',
      body: {
        anomalyId: 'an-1',
        rolloutId: 'ro-2',
        bundle,
        model,
        vehicles: ['v-1'],
        hardwareRevision: 'B',
        feature: 'x_mean',
        since: AT,
        findings: [FINDING],
      },
    },
    {
      kind: 'rollout.action',
      key: 'ro-2',
      actor: 'worker',
      body: {
        rolloutId: 'ro-2',
        vehicleId: 'v-1',
        state: 'rolled_back',
        bundle: digest('bundle 1'),
        counter: 3,
        reason: 'health',
      },
    },
    {
      kind: 'rollout.finished',
      key: 'ro-2',
      actor: 'worker',
      reason: 'health failed',
      body: {
        rolloutId: 'ro-2',
        phase: 'rolled_back',
        updated: ['v-1'],
        rolledBack: ['v-1'],
        reason: 'health failed',
        seconds: 12.5,
      },
    },
  ];
}

function briefed(): NewFact[] {
  return [
    {
      kind: 'brief.opened',
      key: 'br-1',
      actor: 'worker',
      body: {
        briefId: 'br-1',
        anomalyId: 'an-1',
        owner: 'anna',
        vehicles: ['v-1'],
        recordingsWanted: 1,
        text: 'windows on revision B',
      },
    },
    {
      kind: 'campaign.published',
      key: 'brief-br-1',
      actor: 'worker',
      body: {
        campaign: { ...CAMPAIGN, id: 'brief-br-1', brief: 'br-1' },
        digest: digest('campaign 2'),
        vehicles: ['v-1'],
        brief: 'br-1',
      },
    },
    recordingAccepted('fix-drive', { vehicle: 'v-1', event: 'ev-fix', campaign: 'brief-br-1', brief: 'br-1' }),
    {
      kind: 'regression.added',
      key: 're-1',
      actor: 'worker',
      body: {
        regressionId: 're-1',
        anomalyId: 'an-1',
        policyName: 'terrain',
        slice: { name: 'revision B', where: 'hardwareRevision == "B"', countMin: 10, runsMin: 1, lowerBoundMin: 0.5 },
        formerModel: digest('model 2'),
      },
    },
  ];
}

function collected(): NewFact[] {
  const enrolled = (vehicleId: string): NewFact => ({
    kind: 'vehicle.enrolled',
    key: vehicleId,
    actor: 'installer',
    body: { vehicleId, publicKey: 'U', hardwareRevision: 'B', softwareVersion: '1', place: 'Oulu' },
  });
  const label = (name: string): NewFact => ({
    kind: 'label.assigned',
    key: keyOf(digest(name)),
    actor: 'anna',
    body: { recording: digest(name), label: 'ICE', annotator: 'anna', method: 'manual' },
  });
  return [
    enrolled('v-1'),
    enrolled('v-2'),
    {
      kind: 'campaign.published',
      key: CAMPAIGN.id,
      actor: 'ops',
      body: { campaign: CAMPAIGN, digest: digest('campaign'), vehicles: ['v-1'], brief: null },
    },
    {
      kind: 'campaign.ended',
      key: 'steering',
      actor: 'ops',
      body: { campaignId: 'steering', vehicles: ['v-1'], reason: 'the drives are over' },
    },
    recordingAccepted('drive-1', { vehicle: 'v-1', event: 'ev-1' }),
    recordingAccepted('drive-2', { vehicle: 'v-1' }),
    recordingAccepted('short', { vehicle: 'v-2' }),
    {
      kind: 'recording.quarantined',
      key: keyOf(digest('forged')),
      actor: 'ingest',
      body: {
        recording: digest('forged'),
        vehicleId: 'v-2',
        eventId: 'ev-9',
        code: 'INGEST_MCAP_INVALID',
        message: 'truncated',
        source: 'uplink',
      },
    },
    ...lifeOfVehicle({ digest, at: AT, campaign: CAMPAIGN.id }),
    label('drive-1'),
    label('drive-2'),
    {
      kind: 'feature_set.registered',
      key: 'norms-1',
      actor: 'ops',
      body: { digest: digest('feature set'), featureSet: FEATURE_SET },
    },
    dataset('v1', ['drive-1', 'drive-2'], ['short']),
    {
      kind: 'run.failed',
      key: 'run-0',
      actor: 'worker',
      body: { runId: 'run-0', dataset: digest('dataset v1'), code: 'TRAINING_TIMEOUT', message: 'too long' },
    },
  ];
}

/** The whole story: two models, the second of which is rolled back, and a third that fixes it. */
export function fleetStory(): NewFact[] {
  return [
    ...collected(),
    ...trained(1, 'v1'),
    ...shipped(1, null),
    {
      kind: 'rollout.finished',
      key: 'ro-1',
      actor: 'worker',
      body: { rolloutId: 'ro-1', phase: 'healthy', updated: ['v-1'], rolledBack: [], reason: 'passed', seconds: 8 },
    },
    ...trained(2, 'v1'),
    ...shipped(2, digest('bundle 1')),
    ...goneWrong(),
    ...briefed(),
    dataset('v4', ['drive-1', 'drive-2', 'fix-drive'], []),
    {
      kind: 'brief.closed',
      key: 'br-1',
      actor: 'worker',
      body: {
        briefId: 'br-1',
        recordings: [digest('fix-drive')],
        dataset: digest('dataset v4'),
        outcome: 'recordings arrived',
      },
    },
    ...trained(3, 'v4'),
    ...shipped(3, digest('bundle 1')),
    {
      kind: 'promotion.proposed',
      key: 'pr-4',
      actor: 'anna',
      body: {
        promotionId: 'pr-4',
        modelName: 'terrain',
        modelVersion: 3,
        model: digest('model 3'),
        gate: 'ga-3',
        dataset: digest('dataset v4'),
        policy: digest('policy'),
        proposer: 'anna',
        expiresAt: AT,
      },
    },
    {
      kind: 'promotion.refused',
      key: 'pr-4',
      actor: 'ben',
      body: { promotionId: 'pr-4', model: digest('model 3'), by: 'ben', reason: 'twice' },
    },
    ...lifeOfFeatureSet(digest),
    ...auditsOfFleet(digest),
  ];
}
