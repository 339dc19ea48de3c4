/** The subject grammar, stream and bucket names: the only place where they are spelled. */
import { PRIORITIES, type Priority } from '../campaign/campaign.ts';
import type { VehicleId } from '../ids/branded.ts';

export const STREAMS = {
  /** The system of record: one message per fact. */
  ledger: 'LEDGER',
  /** Chunks and manifests on their way in; a message leaves when ingest has stored it. */
  uplink: 'UPLINK',
  /** Heartbeats, inference batches and sampled feature inputs. */
  telemetry: 'TELEMETRY',
  /** Chunks, manifests and tombstones on their way into the relay of a region, in the region's own JetStream domain. */
  regional: 'REGIONAL_UPLINK',
} as const;

export const BUCKETS = {
  desired: 'desired',
  reported: 'reported',
  /** Public key of each vehicle and whether it is revoked, so that relays know whom they may believe. */
  enrolled: 'enrolled',
  /** In a region only: what became of recordings that the relay has handed over. */
  relayed: 'relayed',
} as const;

/** Header of a chunk message: the digest that its payload must have. */
export const CHUNK_DIGEST_HEADER = 'Fleet-Digest';
/** Header of what a relay hands over: its name. The answer goes to the relay then, which passes it on. */
export const RELAY_HEADER = 'Fleet-Relay';
/** Chunks are at most this long, bytes. */
export const CHUNK_SIZE_BYTES_MAX = 512 * 1024;

export const STREAM_SUBJECTS = {
  ledger: 'ledger.>',
  uplink: 'fleet.*.uplink.>',
  telemetry: 'fleet.*.telemetry.>',
} as const;

/** What the uplink stream takes, and nothing else: a message that no lane of ingest reads would lie there for ever. */
export const UPLINK_SUBJECTS: readonly string[] = [
  ...PRIORITIES.flatMap((priority) => [`fleet.*.uplink.chunk.${priority}`, `fleet.*.uplink.manifest.${priority}`]),
  'fleet.*.uplink.tombstone',
];

/** The same of every vehicle. */
export const SUBJECTS_OF_ALL = {
  receipt: 'fleet.*.receipt',
  /** What relays hand over; vehicles may not publish here. `relayed.<vehicle>.uplink.…` is filed as `fleet.<vehicle>.uplink.…`. */
  relayed: 'relayed.>',
  relayRefusal: 'relayed.*.refusal',
} as const;

export const subjects = {
  ledger: (entity: string, key: string): string => `ledger.${entity}.${key}`,
  chunk: (vehicle: VehicleId, priority: Priority): string => `fleet.${vehicle}.uplink.chunk.${priority}`,
  manifest: (vehicle: VehicleId, priority: Priority): string => `fleet.${vehicle}.uplink.manifest.${priority}`,
  /** A signed tombstone; answered on the receipt subject like a manifest. */
  tombstone: (vehicle: VehicleId): string => `fleet.${vehicle}.uplink.tombstone`,
  /** Request: JSON {kind: 'status'} or {kind: 'why', subject}; reply: JSON of the vehicle's own explanation. */
  explain: (vehicle: VehicleId): string => `fleet.${vehicle}.explain`,
  receipt: (vehicle: VehicleId): string => `fleet.${vehicle}.receipt`,
  /** A subject of the uplink as a relay hands it on. */
  relayed: (uplinkSubject: string): string => uplinkSubject.replace(/^fleet\./, 'relayed.'),
  /** JSON {relay, code, message, manifest: base64}: a relay refused what this vehicle signed. */
  relayRefusal: (vehicle: VehicleId): string => `relayed.${vehicle}.refusal`,
  /** Where the centre answers a relay; the last token is the vehicle. */
  relayReceipt: (relay: string, vehicle: string): string => `relay.${relay}.receipt.${vehicle}`,
  heartbeat: (vehicle: VehicleId): string => `fleet.${vehicle}.telemetry.heartbeat`,
  inference: (vehicle: VehicleId): string => `fleet.${vehicle}.telemetry.inference`,
  featureSample: (vehicle: VehicleId): string => `fleet.${vehicle}.telemetry.feature-sample`,
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
    subscribe: [
      subjects.receipt(vehicle),
      subjects.desired(vehicle),
      subjects.explain(vehicle),
      `${subjects.inboxPrefix(vehicle)}.>`,
    ],
  };
}
