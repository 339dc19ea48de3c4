/** The subject grammar, stream and bucket names: the only place where they are spelled. */
import type { Priority } from '../campaign/campaign.ts';
import type { VehicleId } from '../ids/branded.ts';

export const STREAMS = {
  /** The system of record: one message per fact. */
  ledger: 'LEDGER',
  /** Chunks and manifests on their way in; a message leaves when ingest has stored it. */
  uplink: 'UPLINK',
  /** Heartbeats and inference batches. */
  telemetry: 'TELEMETRY',
} as const;

export const BUCKETS = { desired: 'desired', reported: 'reported' } as const;

/** Header of a chunk message: the digest that its payload must have. */
export const CHUNK_DIGEST_HEADER = 'Fleet-Digest';
/** Chunks are at most this long, bytes. */
export const CHUNK_SIZE_BYTES_MAX = 512 * 1024;

export const STREAM_SUBJECTS = {
  ledger: 'ledger.>',
  uplink: 'fleet.*.uplink.>',
  telemetry: 'fleet.*.telemetry.>',
} as const;

export const subjects = {
  ledger: (entity: string, key: string): string => `ledger.${entity}.${key}`,
  chunk: (vehicle: VehicleId, priority: Priority): string => `fleet.${vehicle}.uplink.chunk.${priority}`,
  manifest: (vehicle: VehicleId): string => `fleet.${vehicle}.uplink.manifest`,
  receipt: (vehicle: VehicleId): string => `fleet.${vehicle}.receipt`,
  heartbeat: (vehicle: VehicleId): string => `fleet.${vehicle}.telemetry.heartbeat`,
  inference: (vehicle: VehicleId): string => `fleet.${vehicle}.telemetry.inference`,
  /** Request: JSON {digest, offset}; reply: up to CHUNK_SIZE_BYTES_MAX bytes of a bundle blob, headers Fleet-Size and Fleet-Error. */
  fetch: (vehicle: VehicleId): string => `fleet.${vehicle}.install.fetch`,
  fetchAll: 'fleet.*.install.fetch',
  desired: (vehicle: VehicleId): string => `$KV.${BUCKETS.desired}.${vehicle}`,
  reported: (vehicle: VehicleId): string => `$KV.${BUCKETS.reported}.${vehicle}`,
  /** Direct read of the vehicle's own desired state. */
  desiredGet: (vehicle: VehicleId): string =>
    `$JS.API.DIRECT.GET.KV_${BUCKETS.desired}.$KV.${BUCKETS.desired}.${vehicle}`,
  inboxPrefix: (vehicle: VehicleId): string => `_INBOX_${vehicle}`,
} as const;

/** The vehicle that a `fleet.<vehicle>.…` subject belongs to. */
export function vehicleOfSubject(subject: string): string {
  return subject.split('.')[1] ?? '';
}

export type Permissions = { readonly publish: readonly string[]; readonly subscribe: readonly string[] };

/** All that a vehicle may do: its own subjects and nothing else. */
export function vehiclePermissions(vehicle: VehicleId): Permissions {
  return {
    publish: [
      `fleet.${vehicle}.uplink.>`,
      `fleet.${vehicle}.telemetry.>`,
      subjects.fetch(vehicle),
      subjects.reported(vehicle),
      subjects.desiredGet(vehicle),
    ],
    subscribe: [subjects.receipt(vehicle), subjects.desired(vehicle), `${subjects.inboxPrefix(vehicle)}.>`],
  };
}
