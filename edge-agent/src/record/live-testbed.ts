/** A live recorder over a disk in memory, for tests: its clock stands still until it is told, and its spool is a map. */
import {
  type Campaign,
  type Channel,
  type EventId,
  parseCampaign,
  type SignalChannel,
  type SourceMessage,
} from '@fleetloop/schemas';
import type { AgentClock, Disk } from '../ports.ts';
import { DiskRing, type DiskRingLimits } from './disk-ring.ts';
import { EventRecorder, type RecorderOptions } from './event-recorder.ts';
import { readRecorded } from './read-recorded.ts';
import type { ClosedRecording, RecorderEffect } from './recorder-effects.ts';

export const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
export const FIRST_NS = 1_700_000_000_000_000_000n;
export const NS_PER_MS = 1_000_000n;
export const ROOT = '/state/ring';

export const SPEED: SignalChannel = {
  kind: 'signal',
  topic: '/vss/Vehicle',
  signals: [
    { path: 'Vehicle.Speed', field: 'speed', unit: 'km/h' },
    { path: 'Vehicle.TravelledDistance', field: 'travelled_distance', unit: 'km' },
  ],
};
export const CAN: Channel = { kind: 'opaque', topic: '/can/0/raw', schemaName: 'fleetloop.capture.CanFrame' };

export const at = (ms: number): bigint => FIRST_NS + BigInt(ms) * NS_PER_MS;

export function testCampaign(id: string, change: object = {}): Campaign {
  return parseCampaign({
    kind: 'campaign',
    id,
    version: 1,
    description: '',
    owner: 't',
    priority: 'normal',
    inputs: [{ kind: 'signal', name: 'speed', path: 'Vehicle.Speed', unit: 'km/h' }],
    condition: 'speed > 1.0',
    preWindowMs: 1_000,
    postWindowMs: 500,
    ...change,
  });
}

export function speedMessage(ms: number, sequence: number): SourceMessage {
  const values = Float64Array.of(sequence, sequence % 3 === 0 ? Number.NaN : -1);
  return { kind: 'signal', channel: SPEED, sequence, logTimeNs: at(ms), publishTimeNs: at(ms), values };
}

export function canMessage(ms: number, sequence: number, sizeBytes = 12): SourceMessage {
  const data = new Uint8Array(sizeBytes).fill(sequence);
  return {
    kind: 'opaque',
    channel: CAN,
    sequence,
    logTimeNs: at(ms),
    publishTimeNs: at(ms) - 5n,
    data,
  } as SourceMessage;
}

export function testClock(): AgentClock & { passMs: (ms: number) => void } {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    wait: async () => {},
    random: () => 0.5,
    passMs: (ms) => {
      nowMs += ms;
    },
  };
}

export type LiveBed = {
  readonly ring: DiskRing;
  readonly recorder: EventRecorder;
  readonly clock: ReturnType<typeof testClock>;
};

export async function openBed(
  disk: Disk,
  options: Partial<RecorderOptions> = {},
  limits: Partial<DiskRingLimits> = {},
): Promise<LiveBed> {
  const clock = testClock();
  const ring = await DiskRing.open({ disk, root: ROOT, clock, logger: QUIET, limits });
  const recorder = new EventRecorder({
    vehicle: { id: 'v1', hardwareRevision: 'A' },
    software: { name: 's', version: '1' },
    ringBytesMax: 1_000_000,
    disk: ring,
    ...options,
  });
  return { ring, recorder, clock };
}

export const startLive = (recorder: EventRecorder, session = 'boot-1'): void =>
  recorder.startSession({ session, attributes: { place: 'Omaha' }, channels: [SPEED, CAN], isReplayable: false });

export type Spooled = { readonly recording: ClosedRecording; readonly messages: readonly SourceMessage[] };

/** What a spool would do with the effects; each recording is read back as it is closed. */
export class TestSpool {
  readonly entries = new Map<EventId, Spooled & { readonly isSettled: boolean }>();
  readonly settled: Spooled[] = [];
  withdrawn = 0;
  replaced = 0;

  async take(effects: readonly RecorderEffect[]): Promise<void> {
    for (const effect of effects) {
      if (effect.kind === 'close') await this.#close(effect.recording, effect.isSettled);
      else {
        const entry = this.entries.get(effect.eventId);
        if (entry === undefined) throw new Error(`${effect.kind} names ${effect.eventId}, which was not closed`);
        this.entries.delete(effect.eventId);
        if (effect.kind === 'settle') this.settled.push(entry);
        else if (!this.#has(effect.into)) throw new Error(`withdrawn into ${effect.into}, which is not there`);
        else this.withdrawn += 1;
      }
    }
  }

  async #close(recording: ClosedRecording, isSettled: boolean): Promise<void> {
    const messages = await readRecorded(recording);
    recording.release();
    if (this.entries.has(recording.id)) this.replaced += 1;
    if (isSettled) {
      this.entries.delete(recording.id);
      this.settled.push({ recording, messages });
    } else this.entries.set(recording.id, { recording, messages, isSettled });
  }

  #has(id: EventId): boolean {
    return this.entries.has(id) || this.settled.some(({ recording }) => recording.id === id);
  }
}
