/** What monitoring offers to the rest beside the telemetry store. */
import type { VehicleId } from '@fleetloop/schemas';
import type { InferenceHistoryFilter, InferenceWindow, SampledVectors, StoredSample } from '../ports.ts';

/** The last sign of life of one vehicle. */
export type VehicleHeartbeat = {
  readonly vehicleId: string;
  /** Clock of the vehicle, ms since the Unix epoch. */
  readonly atMs: number;
  /** Clock of the control plane, ms since the Unix epoch. */
  readonly receivedAtMs: number;
  readonly rssBytes: number;
  readonly messagesCaptured: number;
  readonly recordingsSpooled: number;
  readonly spooledBytes: number;
  readonly activeBundle: string;
  readonly inferences: number;
};

export interface Heartbeats {
  latest(vehicleId: string): VehicleHeartbeat | undefined;
}

/** Questions that a vehicle answers itself. */
export interface VehicleQuestions {
  /** Undefined when the vehicle does not answer in time. */
  ask(vehicleId: VehicleId, question: object): Promise<unknown>;
}

/** Inferences on disk, in partitions that are named by the telemetry they came from. */
export interface InferenceArchive {
  /** Writes one partition durably. Sequences are those of the telemetry stream. */
  write(windows: readonly InferenceWindow[], firstSequence: number, lastSequence: number): Promise<void>;
  /** Highest sequence of the telemetry stream that is on disk, 0 when there is none. */
  readonly lastSequence: number;
  /** The newest `perVehicleMax` inferences of each vehicle, oldest first. */
  newest(perVehicleMax: number): Promise<readonly InferenceWindow[]>;
  /** Matches in order of arrival, the newest `limit` of them. */
  select(filter: InferenceHistoryFilter): Promise<readonly InferenceWindow[]>;
  find(vehicleId: string, sequence: number): Promise<InferenceWindow | undefined>;
}

/** Sampled vectors on disk, in partitions as inferences are. */
export interface SampleArchive extends SampledVectors {
  /** Writes one partition durably. Sequences are those of the telemetry stream. */
  write(samples: readonly StoredSample[], firstSequence: number, lastSequence: number): Promise<void>;
  /** Highest sequence of the telemetry stream that is on disk, 0 when there is none. */
  readonly lastSequence: number;
}
