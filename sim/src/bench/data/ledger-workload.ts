/** Facts as a fleet writes them: mostly recordings and what is said of them, between them rollouts, datasets and lineage that grows wide. */
import { type Digest, type NewFact, parseDigest, type RecordingMetadata } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';

const VEHICLES = 200;
const LABELS = ['ASPHALT', 'GRAVEL', 'ICE', 'SNOW'] as const;
/** Facts of one turn of the wheel below. */
const TURN = 20;
const DATASET_RECORDINGS = 10;
const START_NS = 1_790_000_000_000_000_000n;
const RECORDING_NS = 60_000_000_000n;

/** `count` facts in the order in which a fleet of 200 vehicles would write them; the same for the same count. */
export function* fleetFacts(count: number): Generator<NewFact> {
  for (let index = 0; index < count; index += 1) yield index < VEHICLES ? enrolled(index) : factOf(index);
}

/** Of twenty facts: ten recordings, four labels, three actions, one loss, one quarantine, one dataset. */
function factOf(index: number): NewFact {
  const place = index % TURN;
  if (place < 10) return accepted(index);
  if (place < 14) return labelled(index);
  if (place < 17) return action(index);
  if (place === 17) return evicted(index);
  return place === 18 ? quarantined(index) : dataset(index);
}

function digestAt(name: string, index: number): Digest {
  return digestOfBytes(Buffer.from(`${name} ${index}`));
}

function keyOf(digest: Digest): string {
  return parseDigest(digest).slice('sha256:'.length);
}

function vehicleOf(index: number): string {
  return `vehicle-${String(index % VEHICLES).padStart(4, '0')}`;
}

function enrolled(index: number): NewFact {
  const vehicleId = vehicleOf(index);
  const body = {
    vehicleId,
    publicKey: `U${keyOf(digestAt('key', index)).slice(0, 55).toUpperCase()}`,
    hardwareRevision: index % 2 === 0 ? 'A' : 'B',
    softwareVersion: '1.4.2',
    place: 'Oulu',
  };
  return { kind: 'vehicle.enrolled', key: vehicleId, actor: 'installer', body };
}

function accepted(index: number): NewFact {
  const recording = digestAt('recording', index);
  const startNs = START_NS + BigInt(index) * RECORDING_NS;
  const endNs = startNs + RECORDING_NS;
  const session = `drive-${Math.floor(index / 40)}`;
  const metadata: RecordingMetadata = {
    vehicle: { id: vehicleOf(index), hardwareRevision: index % 2 === 0 ? 'A' : 'B' },
    software: { name: 'edge-agent', version: '1.4.2' },
    session: { name: session, attributes: { place: 'Oulu', surface: 'gravel', weather: 'overcast' } },
    clock: { source: 'gnss', uncertaintyNs: '25000' },
    gaps: [],
    loss: {},
    event: {
      id: `event-${index}`,
      startNs: String(startNs),
      endNs: String(endNs),
      triggers: [],
      campaigns: ['hard-brake'],
    },
  };
  const topics = {
    '/sensor/front/camera': 600,
    '/sensor/imu/imu': 6_000,
    '/vss/Vehicle.Speed': 3_000,
    '/agent/clock': 60,
  };
  const body = {
    recording,
    source: 'uplink' as const,
    sizeBytes: 48_213_117 + index,
    messages: 9_660,
    startNs: String(startNs),
    endNs: String(endNs),
    topics,
    metadata,
    manifest: digestAt('manifest', index),
  };
  return { kind: 'recording.accepted', key: keyOf(recording), actor: 'ingest', evidence: [body.manifest], body };
}

function labelled(index: number): NewFact {
  const recording = digestAt('recording', index - 10);
  const label = LABELS[index % LABELS.length] ?? 'ICE';
  const body = { recording, label, annotator: 'anna', method: 'seen in the front camera' };
  return { kind: 'label.assigned', key: keyOf(recording), actor: 'anna', body };
}

function action(index: number): NewFact {
  const rolloutId = `rollout-${Math.floor(index / 1_000)}`;
  const bundle = digestAt('bundle', Math.floor(index / 1_000));
  const body = {
    rolloutId,
    vehicleId: vehicleOf(index),
    state: 'confirmed' as const,
    bundle,
    counter: index,
    reason: '',
  };
  return { kind: 'rollout.action', key: rolloutId, actor: 'worker', body };
}

function evicted(index: number): NewFact {
  const startNs = START_NS + BigInt(index) * RECORDING_NS;
  const body = {
    vehicleId: vehicleOf(index),
    eventId: `lost-${index}`,
    recording: digestAt('lost', index),
    sizeBytes: 31_000_000,
    priority: 'routine',
    session: `drive-${Math.floor(index / 40)}`,
    campaigns: ['hard-brake'],
    startNs: String(startNs),
    endNs: String(startNs + RECORDING_NS),
    code: 'SPOOL_EVICTED',
    reason: 'the quota was full and nothing older was uploaded yet',
    lostAt: '2026-11-20T10:00:00.000Z',
    tombstone: digestAt('tombstone', index),
  };
  return { kind: 'recording.evicted', key: `lost-${index}`, actor: 'ingest', body };
}

function quarantined(index: number): NewFact {
  const recording = digestAt('broken', index);
  const body = {
    recording,
    vehicleId: vehicleOf(index),
    eventId: `event-${index}`,
    code: 'INGEST_MCAP_INVALID',
    message: 'the file ends in the middle of a chunk',
    source: 'uplink' as const,
  };
  return { kind: 'recording.quarantined', key: keyOf(recording), actor: 'ingest', body };
}

/** `recordings` recordings, and datasets over runs of them: about ten edges for each recording. */
export function* lineageFacts(work: { readonly recordings: number; readonly datasets: number }): Generator<NewFact> {
  for (let index = 0; index < work.recordings; index += 1) yield accepted(index);
  const length = Math.floor((7 * work.recordings) / (2 * work.datasets));
  for (let version = 0; version < work.datasets; version += 1) {
    const from = Math.floor((version / work.datasets) * (work.recordings - length));
    yield datasetOf(version, { from, length, digest: datasetDigest(version) });
  }
}

export function recordingDigest(index: number): Digest {
  return digestAt('recording', index);
}

export function datasetDigest(version: number): Digest {
  return digestAt('dataset', version);
}

function dataset(index: number): NewFact {
  const run = { from: index - TURN + 1, length: DATASET_RECORDINGS, digest: digestAt('dataset', index) };
  return datasetOf(Math.floor(index / TURN), run);
}

function datasetOf(
  number: number,
  run: { readonly from: number; readonly length: number; readonly digest: Digest },
): NewFact {
  const version = `v${number}`;
  const document = {
    kind: 'dataset-version' as const,
    dataset: 'terrain',
    version,
    specification: digestAt('specification', number),
    recordings: Array.from({ length: run.length }, (_, place) => ({
      recording: digestAt('recording', run.from + place),
      session: `drive-${Math.floor((run.from + place) / 40)}`,
      split: place === 0 ? ('test' as const) : ('train' as const),
      label: LABELS[place % LABELS.length] ?? 'ICE',
      vehicle: vehicleOf(run.from + place),
      hardwareRevision: 'A',
      softwareVersion: '1.4.2',
      brief: null,
    })),
    exclusions: [],
  };
  const body = { digest: run.digest, dataset: 'terrain', version, document };
  return {
    kind: 'dataset.frozen',
    key: `terrain-${version}`,
    actor: 'worker',
    evidence: [document.specification],
    body,
  };
}
