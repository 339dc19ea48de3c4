/** Why: what makes a JetStream stream a ledger: nobody can delete from it or purge it, and batches stand or fall as one. */
import { FleetError, LEDGER_ENTRY_BYTES_MAX, STREAM_SUBJECTS, STREAMS } from '@fleetloop/schemas';
import {
  JetStreamApiError,
  type JetStreamManager,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';

/** Smallest window the server accepts; nothing here relies on message ids. */
const DUPLICATE_WINDOW_MS = 100;
const HEADERS_BYTES_MAX = 4_096;
const STREAM_NOT_FOUND_CODE = 10_059;

type Guarded = Pick<StreamConfig, 'deny_delete' | 'deny_purge' | 'allow_atomic' | 'allow_direct' | 'storage'>;

/** What makes the stream a ledger; an existing stream without it is refused. */
const GUARDS: Guarded = {
  deny_delete: true,
  deny_purge: true,
  allow_atomic: true,
  allow_direct: true,
  storage: StorageType.File,
};

/**
 * Finds or makes the stream.
 * @throws FleetError CONFIG_INVALID when a stream of that name could lose entries; LEDGER_TAMPERED when some are missing
 */
export async function openLedgerStream(manager: JetStreamManager, replicas: number): Promise<void> {
  assertLedgerStream(await findOrCreateStream(manager, replicas));
}

async function findOrCreateStream(manager: JetStreamManager, replicas: number): Promise<StreamInfo> {
  try {
    return await manager.streams.info(STREAMS.ledger);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== STREAM_NOT_FOUND_CODE) throw error;
  }
  // Adding a stream with the same configuration twice is not an error, so two processes may start together.
  return manager.streams.add({
    name: STREAMS.ledger,
    subjects: [STREAM_SUBJECTS.ledger],
    ...GUARDS,
    num_replicas: replicas,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    max_msg_size: LEDGER_ENTRY_BYTES_MAX + HEADERS_BYTES_MAX,
  });
}

function assertLedgerStream({ config, state }: StreamInfo): void {
  for (const [name, value] of Object.entries(GUARDS)) {
    if (config[name as keyof Guarded] === value) continue;
    throw new FleetError(
      'CONFIG_INVALID',
      `the stream ${STREAMS.ledger} exists without ${name}: it cannot be the system of record`,
    );
  }
  if (state.messages === state.last_seq && (state.messages === 0 || state.first_seq === 1)) return;
  throw new FleetError(
    'LEDGER_TAMPERED',
    `the stream ${STREAMS.ledger} holds ${state.messages} of ${state.last_seq} entries: some were removed`,
  );
}
