/** Why: workflows are tested in seconds, on small recordings whose ground can really be learned, and really be missed when an axis is turned. */
import type { RecordingMetadata } from '@fleetloop/schemas';
import { RecordingWriter } from '@fleetloop/schemas/recording';

export const GROUNDS = { calm: 0.1, rough: 1, wild: 4 } as const;
export type Ground = keyof typeof GROUNDS;

const SECONDS = 20;
const RATE_HZ = 50;
const START_NS = 1_700_000_000_000_000_000n;
const NS_PER_SECOND = 1_000_000_000n;
const CHANNEL = {
  kind: 'signal',
  topic: '/vss/Vehicle.Acceleration',
  signals: ['Longitudinal', 'Lateral', 'Vertical'].map((name) => ({
    path: `Vehicle.Acceleration.${name}`,
    field: name.toLowerCase(),
    unit: 'm/s^2',
  })),
} as const;

export type SyntheticDrive = {
  readonly session: string;
  readonly ground: Ground;
  readonly vehicle: string;
  readonly hardwareRevision: 'A' | 'B';
  readonly brief?: string;
  readonly attributes?: Readonly<Record<string, string>>;
};

/**
 * One recording: noise of the ground's strength on one axis, small noise on the others. On revision B the sensor is turned:
 * the strong axis is another one, the norm is the same.
 */
export async function syntheticRecording(drive: SyntheticDrive): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let position = 0n;
  const writable = {
    position: () => position,
    write: async (bytes: Uint8Array) => {
      parts.push(Uint8Array.from(bytes));
      position += BigInt(bytes.length);
    },
  };
  const writer = await RecordingWriter.open(writable, metadataOf(drive));
  const noise = normalNoise(drive.session);
  const strength = GROUNDS[drive.ground];
  for (let sequence = 0; sequence < SECONDS * RATE_HZ; sequence += 1) {
    const logTimeNs = START_NS + (BigInt(sequence) * NS_PER_SECOND) / BigInt(RATE_HZ);
    const [strong, lateral, weak] = [noise() * strength, noise() * 0.05, noise() * 0.05];
    const values = drive.hardwareRevision === 'A' ? [strong, lateral, weak] : [weak, lateral, strong];
    await writer.write({
      kind: 'signal',
      channel: CHANNEL,
      sequence,
      logTimeNs,
      publishTimeNs: logTimeNs,
      values: Float64Array.from(values),
    });
  }
  await writer.close();
  return Buffer.concat(parts);
}

function metadataOf(drive: SyntheticDrive): RecordingMetadata {
  return {
    vehicle: { id: drive.vehicle, hardwareRevision: drive.hardwareRevision },
    software: { name: 'synthetic', version: '1.0.0' },
    session: { name: drive.session, attributes: { ...drive.attributes } },
    clock: { source: 'synthetic', uncertaintyNs: '0' },
    gaps: [],
    loss: {},
    ...(drive.brief === undefined ? {} : { brief: drive.brief }),
  };
}

/** Standard normal numbers that depend on the seed alone (Box-Muller over a linear congruential generator). */
function normalNoise(seed: string): () => number {
  let state = Array.from(seed).reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 1) / (2 ** 32 + 1);
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

const SIGNALS = ['Longitudinal', 'Lateral', 'Vertical'].map((name) => ({
  name: name.toLowerCase(),
  path: `Vehicle.Acceleration.${name}`,
  unit: 'm/s^2',
  samplesMin: 10,
}));
const COMMON = {
  kind: 'feature-set',
  version: 1,
  owner: 'perception',
  validator: 'safety',
  date: '2026-11-20',
  entity: 'vehicle',
  window: { lengthMs: 1_000, hopMs: 1_000 },
  signals: SIGNALS,
  tolerance: { absolute: 1e-9, relative: 1e-9 },
  latencyBudgetMs: 20,
};

/** Sees each axis by itself. */
export const AXES_FEATURES = {
  ...COMMON,
  name: 'axes',
  derived: [],
  features: SIGNALS.flatMap(({ name }) => [
    { name: `${name}_std`, input: name, transform: 'std' },
    { name: `${name}_mad`, input: name, transform: 'mad' },
  ]),
};

/** Sees the length of the vector only. */
export const NORM_FEATURES = {
  ...COMMON,
  name: 'norms',
  derived: [{ name: 'norm', kind: 'norm', of: SIGNALS.map(({ name }) => name) }],
  features: ['mean', 'std', 'range'].map((transform) => ({ name: `norm_${transform}`, input: 'norm', transform })),
};

/** Asks for the recall of each ground on revision A. */
export const GROUND_POLICY = {
  kind: 'gate-policy',
  name: 'ground',
  version: 1,
  owner: 'safety',
  date: '2026-11-20',
  metric: 'recall',
  bound: { method: 'wilson-clustered', confidence: 0.95, designEffectMin: 1 },
  assumption: 'Windows of one drive are independent here, because the noise is.',
  slices: Object.keys(GROUNDS).map((label) => ({
    name: label,
    label,
    where: 'hardwareRevision == "A"',
    required: true,
    threshold: 0.6,
    windowsMin: 10,
    runsMin: 2,
    reason: 'it can be learned',
  })),
};

/** A search that takes a second. */
export const SMALL_SEARCH = {
  folds: 2,
  logistic: { inversePenalty: [1, 100] },
  network: { hidden: 4, members: 1, searchMembers: 1, iterations: 20, penalty: [1] },
};
