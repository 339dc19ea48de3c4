/** What the fleet says of itself: latest heartbeats, recent inferences in memory, all inferences on disk. */
import { fromBinary } from '@bufbuild/protobuf';
import { HeartbeatSchema } from '@fleetloop/schemas/wire';
import type { InferenceHistoryFilter, InferenceWindow, TelemetryStore } from '../ports.ts';
import { readInferenceBatch } from './inference-window.ts';
import type { Heartbeats, InferenceArchive, VehicleHeartbeat } from './ports.ts';
import { type InferenceFilter, RecentInferences } from './recent-inferences.ts';

/** Inferences that wait to be written; at this many they are written at once. */
export const PENDING_INFERENCES_MAX = 8_192;

/** One message of the telemetry stream. */
export type TelemetryMessage = {
  readonly vehicleId: string;
  readonly kind: string;
  readonly bytes: Uint8Array;
  /** Sequence in the telemetry stream. */
  readonly sequence: number;
  /** When the stream stored it, ms since the Unix epoch. */
  readonly receivedAtMs: number;
};

export class FleetTelemetry implements TelemetryStore, Heartbeats {
  readonly #recent: RecentInferences;
  readonly #archive: InferenceArchive;
  readonly #heartbeats = new Map<string, VehicleHeartbeat>();
  readonly #deadlineMisses = new Map<string, number>();
  #pending: InferenceWindow[] = [];
  #pendingFrom = 0;
  /** Highest sequence of the telemetry stream that was taken. */
  #highestSequence: number;

  private constructor(archive: InferenceArchive, perVehicleMax: number) {
    this.#archive = archive;
    this.#highestSequence = archive.lastSequence;
    this.#recent = new RecentInferences(perVehicleMax);
  }

  /** Takes up what is on disk, so that a restart forgets nothing. */
  static async open(archive: InferenceArchive, perVehicleMax: number): Promise<FleetTelemetry> {
    const telemetry = new FleetTelemetry(archive, perVehicleMax);
    for (const window of await archive.newest(perVehicleMax)) telemetry.#recent.add(window);
    return telemetry;
  }

  /** Takes one message. True when enough has come together that `flush` should be called. */
  take(message: TelemetryMessage): boolean {
    if (message.kind === 'heartbeat') this.#takeHeartbeat(message);
    if (message.kind === 'inference') this.#takeInferences(message);
    return this.#pending.length >= PENDING_INFERENCES_MAX;
  }

  /** Writes what is pending; messages up to `lastSequence` may be acknowledged after it. */
  async flush(lastSequence: number): Promise<void> {
    const windows = this.#pending;
    const from = this.#pendingFrom;
    if (windows.length === 0) return;
    this.#pending = [];
    try {
      await this.#archive.write(windows, from, lastSequence);
    } catch (error) {
      this.#pending = [...windows, ...this.#pending];
      this.#pendingFrom = from;
      throw error;
    }
  }

  latest(vehicleId: string): VehicleHeartbeat | undefined {
    return this.#heartbeats.get(vehicleId);
  }

  async inferences(filter: InferenceFilter): Promise<readonly InferenceWindow[]> {
    return this.#recent.select(filter);
  }

  async history(filter: InferenceHistoryFilter): Promise<readonly InferenceWindow[]> {
    // Memory first: what is written to disk meanwhile is then in one of the two at least.
    const { bundles, limit, ...rest } = filter;
    const recent = bundles.flatMap((bundle) => this.#recent.select({ ...rest, bundle }));
    const all = new Map<string, InferenceWindow>();
    for (const window of [...(await this.#archive.select(filter)), ...recent]) {
      const { vehicleId, bundle, role, sequence, windowStartNs } = window;
      all.set(`${vehicleId} ${bundle} ${role} ${sequence} ${windowStartNs}`, window);
    }
    return [...all.values()].toSorted((left, right) => left.receivedAtMs - right.receivedAtMs).slice(-limit);
  }

  async inference(vehicleId: string, sequence: number): Promise<InferenceWindow | undefined> {
    return this.#recent.find(vehicleId, sequence) ?? (await this.#archive.find(vehicleId, sequence));
  }

  async deadlineMisses(vehicleId: string): Promise<number> {
    return this.#deadlineMisses.get(vehicleId) ?? 0;
  }

  #takeInferences(message: TelemetryMessage): void {
    // Delivered again: on disk since before a crash, or still in memory because writing takes long.
    if (message.sequence <= this.#highestSequence) return;
    this.#highestSequence = message.sequence;
    const batch = readInferenceBatch(message.vehicleId, message.bytes, message.receivedAtMs);
    if (batch === undefined) return;
    this.#deadlineMisses.set(message.vehicleId, batch.deadlineMisses);
    if (this.#pending.length === 0) this.#pendingFrom = message.sequence;
    for (const window of batch.windows) {
      this.#pending.push(window);
      this.#recent.add(window);
    }
  }

  #takeHeartbeat({ vehicleId, bytes, receivedAtMs }: TelemetryMessage): void {
    try {
      const heartbeat = fromBinary(HeartbeatSchema, bytes);
      if (heartbeat.vehicleId !== vehicleId) return;
      this.#heartbeats.set(vehicleId, {
        vehicleId,
        atMs: Number(heartbeat.atMs),
        receivedAtMs,
        rssBytes: Number(heartbeat.rssBytes),
        messagesCaptured: Number(heartbeat.messagesCaptured),
        recordingsSpooled: heartbeat.recordingsSpooled,
        spooledBytes: Number(heartbeat.spooledBytes),
        activeBundle: heartbeat.activeBundle,
        inferences: Number(heartbeat.inferences),
      });
    } catch {
      // A heartbeat that does not decode says nothing; the former one stands and grows old.
    }
  }
}
