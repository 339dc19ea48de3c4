/** Makes the streams and buckets that vehicles use, so that a new account is ready before the first vehicle connects. */
import {
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  DiscardPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { BUCKETS, STREAM_SUBJECTS, STREAMS, SUBJECTS_OF_ALL, UPLINK_SUBJECTS } from '@fleetloop/schemas';
import type { ControlPlaneConfig } from '../config/control-plane-config.ts';

const NS_PER_HOUR = 3_600_000_000_000;
/** Documents in the buckets stay below this, bytes. */
const DOCUMENT_BYTES_MAX = 1024 * 1024 - 64 * 1024;
const DESIRED_HISTORY = 8;

/** Creates what is missing and updates what has other limits; repeating it changes nothing. */
export async function ensureStreams(connection: NatsConnection, limits: ControlPlaneConfig['limits']): Promise<void> {
  const manager = await jetstreamManager(connection);
  await ensureStream(manager, {
    name: STREAMS.uplink,
    subjects: [...UPLINK_SUBJECTS, SUBJECTS_OF_ALL.relayed],
    // What a relay hands over is filed as if the vehicle had sent it here itself.
    subject_transform: { src: 'relayed.*.uplink.>', dest: 'fleet.{{wildcard(1)}}.uplink.>' },
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    // When it is full the publisher is told so and waits: nothing that a vehicle was promised is thrown away.
    discard: DiscardPolicy.New,
    max_bytes: limits.uplinkBytesMax,
  });
  await ensureStream(manager, {
    name: STREAMS.telemetry,
    subjects: [STREAM_SUBJECTS.telemetry],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_bytes: limits.telemetryBytesMax,
    max_age: limits.telemetryAgeHoursMax * NS_PER_HOUR,
  });
  const buckets = new Kvm(connection);
  await buckets.create(BUCKETS.desired, {
    allow_direct: true,
    history: DESIRED_HISTORY,
    maxValueSize: DOCUMENT_BYTES_MAX,
  });
  await buckets.create(BUCKETS.enrolled, { allow_direct: true, history: 1, maxValueSize: DOCUMENT_BYTES_MAX });
  await buckets.create(BUCKETS.reported, { allow_direct: true, history: 1, maxValueSize: DOCUMENT_BYTES_MAX });
}

export async function ensureStream(
  manager: JetStreamManager,
  config: Partial<StreamConfig> & { readonly name: string },
): Promise<void> {
  const exists = await manager.streams.info(config.name).then(
    () => true,
    () => false,
  );
  if (exists) await manager.streams.update(config.name, config);
  else await manager.streams.add(config);
}
