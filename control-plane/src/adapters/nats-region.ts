/** The streams of a region, in its own JetStream domain beside the relay: they work while the centre is out of reach. */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  DiscardPolicy,
  jetstream,
  type JetStreamClient,
  type JetStreamManager,
  jetstreamManager,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { BUCKETS, FleetError, STREAMS, UPLINK_SUBJECTS } from '@fleetloop/schemas';
import { type Receipt, ReceiptSchema } from '@fleetloop/schemas/wire';
import { z } from 'zod';
import { hexOf } from '../ingest/facts.ts';
import type { ReceivedManifest } from '../ingest/manifest.ts';
import type { VehicleLookup } from '../ingest/vehicle-registry.ts';
import type { Outcomes } from '../relay/ports.ts';
import type { RelayConfig } from '../relay/relay-config.ts';

/** Outcomes remembered; about 300 bytes each. */
const OUTCOMES_MAX = 100_000;
const NO_MESSAGE = 10_037;
const STREAM_EXISTS = 10_058;
const Enrolled = z.object({ publicKey: z.string(), isRevoked: z.boolean() });

/** Creates what is missing; repeating it changes nothing but the limit of the stream. */
export async function ensureRegion(connection: NatsConnection, config: RelayConfig): Promise<void> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const uplink = {
    name: STREAMS.regional,
    subjects: [...UPLINK_SUBJECTS],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    // When it is full the vehicle is told so and waits: nothing that it was promised is thrown away.
    discard: DiscardPolicy.New,
    max_bytes: config.limits.streamBytesMax,
  };
  if (await isMade(manager, uplink)) await manager.streams.update(uplink.name, uplink);
  for (const bucket of [BUCKETS.desired, BUCKETS.enrolled]) await isMade(manager, mirror(bucket, config.hubDomain));
  await isMade(manager, bucketStream(BUCKETS.reported, { max_msgs_per_subject: 1 }));
  await isMade(manager, bucketStream(BUCKETS.relayed, { max_msgs_per_subject: 1, max_msgs: OUTCOMES_MAX }));
}

/** False when this call made it. */
async function isMade(
  manager: JetStreamManager,
  config: Partial<StreamConfig> & { readonly name: string },
): Promise<boolean> {
  try {
    await manager.streams.add(config);
    return false;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_EXISTS) return true;
    throw error;
  }
}

/** A copy of a bucket of the centre that vehicles of the region read as if they were there. */
function mirror(bucket: string, hubDomain: string): Partial<StreamConfig> & { readonly name: string } {
  const name = `KV_${bucket}`;
  return {
    name,
    mirror: { name, external: { api: `$JS.${hubDomain}.API`, deliver: '' } },
    storage: StorageType.File,
    allow_direct: true,
    max_msgs_per_subject: 1,
    // Subscribers of the region hear of each change, as they would at the centre.
    republish: { src: `$KV.${bucket}.>`, dest: `$KV.${bucket}.>` },
  };
}

function bucketStream(
  bucket: string,
  limits: Partial<StreamConfig>,
): Partial<StreamConfig> & { readonly name: string } {
  return {
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    allow_direct: true,
    allow_rollup_hdrs: true,
    ...limits,
  };
}

/** Vehicles as the region has heard of them. */
export async function inRegion(connection: NatsConnection): Promise<VehicleLookup> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  return async (vehicleId) => {
    const value = await lastValue(manager, BUCKETS.enrolled, vehicleId);
    const parsed = Enrolled.safeParse(value === undefined ? undefined : JSON.parse(new TextDecoder().decode(value)));
    return parsed.success ? { vehicleId, ...parsed.data } : undefined;
  };
}

/** Outcomes of the last recordings, in a bucket of the region; the oldest are forgotten. */
export class RegionOutcomes implements Outcomes {
  readonly #manager: JetStreamManager;
  readonly #client: JetStreamClient;

  private constructor(manager: JetStreamManager, client: JetStreamClient) {
    this.#manager = manager;
    this.#client = client;
  }

  static async open(connection: NatsConnection): Promise<RegionOutcomes> {
    return new RegionOutcomes(await jetstreamManager(connection, { checkAPI: false }), jetstream(connection));
  }

  async find(manifest: ReceivedManifest): Promise<Receipt | undefined> {
    const verified = await lastValue(this.#manager, BUCKETS.relayed, verifiedKey(manifest));
    const value = verified ?? (await lastValue(this.#manager, BUCKETS.relayed, refusedKey(manifest)));
    return value === undefined ? undefined : fromBinary(ReceiptSchema, value);
  }

  async record(manifest: ReceivedManifest, receipt: Receipt): Promise<void> {
    const key = receipt.outcome.case === 'verified' ? verifiedKey(manifest) : refusedKey(manifest);
    await this.#client
      .publish(`$KV.${BUCKETS.relayed}.${key}`, toBinary(ReceiptSchema, receipt))
      .catch((cause: unknown) => {
        throw new FleetError('RELAY_UNAVAILABLE', `the outcome of ${manifest.eventId} cannot be stored`, { cause });
      });
  }
}

/** An event counts once, under whatever bytes; a refusal is about one manifest. */
const verifiedKey = ({ vehicleId, eventId }: ReceivedManifest): string => `verified.${vehicleId}.${eventId}`;
const refusedKey = ({ digest }: ReceivedManifest): string => `refused.${hexOf(digest)}`;

async function lastValue(manager: JetStreamManager, bucket: string, key: string): Promise<Uint8Array | undefined> {
  try {
    const found = await manager.direct.getMessage(`KV_${bucket}`, { last_by_subj: `$KV.${bucket}.${key}` });
    return found?.data;
  } catch (cause) {
    if (cause instanceof JetStreamApiError && cause.code === NO_MESSAGE) return undefined;
    throw new FleetError('RELAY_UNAVAILABLE', `the bucket ${bucket} of the region does not answer`, { cause });
  }
}
