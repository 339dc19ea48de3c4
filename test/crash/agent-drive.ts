/** What the vehicle of the lab sees and what is asked of it: campaigns that fire when a message says so, and nothing left to chance but the story. */
import {
  type Campaign,
  type DesiredState,
  type OpaqueChannel,
  parseCampaign,
  type PullRequest,
  type RecordingClock,
} from '@fleetloop/schemas';
import type { SignalChannel, SourceMessage } from '@fleetloop/schemas';
import { RedactionRules, Redactor } from '@fleetloop/edge-agent';
import { WALL_START_MS } from './virtual-clock.ts';
import { VEHICLE } from './agent-life.ts';

const NS_PER_MS = 1_000_000n;

export const MOTION: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [
    { path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' },
    { path: 'Vehicle.Acceleration.Longitudinal', field: 'longitudinal', unit: 'm/s^2' },
  ],
};
const JPEG = { messageEncoding: 'jpeg', schemaEncoding: '', schemaData: new Uint8Array(0) };
export const CAMERA: OpaqueChannel = {
  kind: 'opaque',
  topic: '/sensor/front/camera',
  schemaName: 'Jpeg',
  encoding: JPEG,
};

const INPUTS = [
  { kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' },
  { kind: 'signal', name: 'push', path: 'Vehicle.Acceleration.Longitudinal', unit: 'm/s^2' },
];

function campaign(id: string, change: object): Campaign {
  return parseCampaign({
    kind: 'campaign',
    id,
    version: 1,
    description: '',
    owner: 'lab',
    inputs: INPUTS,
    ...change,
  });
}

/** Values of one message that make each campaign fire. */
export const FIRING = { brake: [30, -8], race: [180, 0], bump: [30, 8], quiet: [30, 0] } as const;
export type CampaignName = Exclude<keyof typeof FIRING, 'quiet'>;

export const CAMPAIGNS: Readonly<Record<CampaignName, Campaign>> = {
  brake: campaign('brake', {
    condition: 'push < -5.0',
    priority: 'safety',
    preWindowMs: 1_500,
    postWindowMs: 1_000,
    budgets: { eventsPerHour: 1_000 },
  }),
  // Its chains are longer than its longest recording: they are cut.
  race: campaign('race', {
    condition: 'speed > 100.0',
    priority: 'normal',
    preWindowMs: 2_500,
    postWindowMs: 2_000,
    eventMsMax: 4_000,
    budgets: { eventsPerHour: 1_000 },
  }),
  bump: campaign('bump', { condition: 'push > 5.0', priority: 'bulk', preWindowMs: 800, postWindowMs: 700 }),
};

export const nsAt = (ms: number): bigint => BigInt(Math.round(WALL_START_MS + ms)) * NS_PER_MS;

export function motionAt(ms: number, sequence: number, what: keyof typeof FIRING): SourceMessage {
  const timeNs = nsAt(ms);
  return {
    kind: 'signal',
    channel: MOTION,
    sequence,
    logTimeNs: timeNs,
    publishTimeNs: timeNs,
    values: Float64Array.from(FIRING[what]),
  };
}

/** Bytes that do not become smaller. */
export function pictureAt(ms: number, sequence: number, sizeBytes: number): SourceMessage {
  const data = new Uint8Array(sizeBytes);
  let state = sequence + 1;
  for (let index = 0; index < sizeBytes; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[index] = state >>> 24;
  }
  const timeNs = nsAt(ms);
  return { kind: 'opaque', channel: CAMERA, sequence, logTimeNs: timeNs, publishTimeNs: timeNs, data };
}

export function desiredText(
  version: number,
  campaigns: readonly Campaign[],
  pulls: readonly PullRequest[] = [],
): string {
  const desired: DesiredState = {
    kind: 'desired-state',
    vehicleId: VEHICLE,
    version,
    campaigns: [...campaigns],
    director: null,
    pulls: [...pulls],
  };
  return JSON.stringify(desired);
}

/** What disciplines the wall clock of the lab's vehicle. */
export const CLOCK_SOURCE = 'lab';
export const clockBetween = (): Partial<RecordingClock> => ({ source: CLOCK_SOURCE, uncertaintyNs: '1' });

/** Every motion message is redacted, so that a recording which holds one has to say so. */
export const redactor = (): Redactor =>
  new Redactor({
    rules: RedactionRules.parse([
      { kind: 'round', name: 'coarse', paths: ['Vehicle.Acceleration.Longitudinal'], step: 0.5 },
    ]),
    hashKey: undefined,
    blanker: { blank: async () => Promise.reject(new Error('no rule of the lab blanks')) },
    onFailure: (rule, topic, cause) => {
      throw new Error(`${rule} does not fit ${topic}`, { cause });
    },
  });
