/** Why: facts about what was found in the data and how the ledger itself is kept, as part of the fleet's story. */
import type { Digest, NewFact } from '@fleetloop/schemas';

type ToDigest = (text: string) => Digest;
const SHARED = {
  owner: 'ops',
  rows: 90,
  verdict: 'failed',
  counts: { passed: 4, failed: 1, inconclusive: 0 },
} as const;

/** A recording with a finding, a feature that drifted, groups that were held against each other, and a new key. */
export function auditsOfFleet(digest: ToDigest): NewFact[] {
  return [
    checked(digest),
    introduced(digest),
    {
      kind: 'recording.released',
      key: digest('drive-1').slice('sha256:'.length),
      actor: 'anna',
      body: { recording: digest('drive-1'), quarantine: 1, reason: 'the sensor was replaced; looked through' },
    },
    drifted(digest),
    biased(digest),
    {
      kind: 'checkpoint.key_rotated',
      key: 'key',
      actor: 'anna',
      body: { formerKey: 'former', key: 'new', note: 'signed by both', formerRotation: 0 },
    },
  ];
}

function checked(digest: ToDigest): NewFact {
  const recording = digest('drive-1');
  const finding = { rule: 'rate.gap', version: 1, severity: 'warning', topic: '/vss/Vehicle.Speed' } as const;
  const standard = { name: 'vehicle', version: 1, digest: digest('standard') };
  return {
    kind: 'recording.checked',
    key: recording.slice('sha256:'.length),
    actor: 'ingest',
    evidence: [recording, digest('findings of drive-1')],
    body: {
      recording,
      standard,
      verdict: 'accepted_with_findings',
      findings: [{ ...finding, fromNs: '1', toNs: '2', message: 'nothing came for 1 s' }],
      count: { info: 0, warning: 1, error: 0, suppressed: 0 },
      report: digest('findings of drive-1'),
    },
  };
}

function introduced(digest: ToDigest): NewFact {
  const recording = digest('drive-1');
  const topic = {
    topic: '/vss/Vehicle.Speed',
    encoding: 'signals',
    schemaName: '',
    schema: null,
    fields: [{ name: 'Vehicle.Speed', type: 'double', unit: 'km/h' }],
    isDeclared: true,
    sampled: 0,
    isCut: false,
    rateHz: 10,
  };
  const software = { softwareName: 'agent', softwareVersion: '1.0.0' };
  return {
    kind: 'form.introduced',
    key: digest('revision B').slice('sha256:'.length),
    actor: 'ingest',
    evidence: [recording],
    body: { recording, vehicleId: 'v-1', hardwareRevision: 'B', ...software, generator: '', topics: [topic] },
  };
}

function drifted(digest: ToDigest): NewFact {
  const alert = { feature: 'x_mean', slice: 'all', season: [], owner: 'ops', tests: ['psi'] };
  return {
    kind: 'drift.evaluated',
    key: 'drift-1',
    actor: 'ops',
    body: {
      ...SHARED,
      evaluationId: 'drift-1',
      monitor: digest('monitor'),
      monitorName: 'norms',
      monitorVersion: 1,
      reference: [digest('reference table')],
      referenceCount: 1,
      current: [digest('current table')],
      currentCount: 1,
      definition: digest('bins'),
      sketches: { reference: digest('reference sketch'), current: digest('current sketch') },
      report: digest('drift report'),
      rows: { reference: 90, current: 80 },
      alerts: [{ ...alert, severity: 'warning' }],
      alertCount: 1,
    },
  };
}

function biased(digest: ToDigest): NewFact {
  return {
    kind: 'bias.audited',
    key: 'bias-1',
    actor: 'ops',
    body: {
      ...SHARED,
      evaluationId: 'bias-1',
      audit: digest('audit'),
      auditName: 'regions',
      auditVersion: 1,
      tables: [digest('predictions')],
      tableCount: 1,
      definition: digest('bins'),
      report: digest('bias report'),
      findings: [{ attribute: 'place', group: 'Oulu', measure: 'recall', difference: -0.2 }],
      findingCount: 1,
    },
  };
}
