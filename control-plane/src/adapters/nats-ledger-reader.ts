/** Why: reading the ledger must hold its order and its completeness: a sequence that is skipped is an error, not an entry less. */
import { FleetError, STREAMS } from '@fleetloop/schemas';
import { DeliverPolicy, type JetStreamClient, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import { setTimeout as delay } from 'node:timers/promises';

export type EntryMessage = { readonly sequence: number; readonly subject: string; readonly bytes: Uint8Array };

/** Entries of one page; a page is held in memory whole. */
const PAGE_ENTRIES = 512;
const PAGE_ATTEMPTS_MAX = 3;
const PAGE_BYTES_MAX = 8 * 1024 * 1024;
/** Entries that a follower may hold unprocessed. */
const FOLLOW_ENTRIES_MAX = 512;
/** The server answers at least this often, or the connection counts as broken. */
const IDLE_HEARTBEAT_MS = 2_000;
const PULL_EXPIRES_MS = 30_000;
const RESTART_DELAY_MS = 200;

/**
 * Messages [fromSequence, toSequence] in order by direct gets, page by page.
 * @throws FleetError LEDGER_TAMPERED when one is missing
 */
export async function* readMessages(
  manager: JetStreamManager,
  range: { readonly fromSequence: number; readonly toSequence: number },
): AsyncIterable<EntryMessage> {
  let next = Math.max(1, range.fromSequence);
  while (next <= range.toSequence) {
    const page = await readPageAgain(manager, next, Math.min(PAGE_ENTRIES, range.toSequence - next + 1));
    if (page.length === 0) throw missing(next);
    for (const message of page) {
      if (message.seq !== next) throw missing(next);
      yield { sequence: next, subject: message.subject, bytes: message.data };
      next += 1;
    }
  }
}

/** A page that breaks off is asked for again, as the server may have been restarted in between. */
async function readPageAgain(manager: JetStreamManager, fromSequence: number, batch: number): Promise<StoredMsg[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readPage(manager, fromSequence, batch);
    } catch (error) {
      if (attempt === PAGE_ATTEMPTS_MAX) throw error;
    }
    await delay(RESTART_DELAY_MS);
  }
}

/** The callback form is used because the iterator form of this client keeps its subscription open after the last page. */
async function readPage(manager: JetStreamManager, fromSequence: number, batch: number): Promise<StoredMsg[]> {
  const page: StoredMsg[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  await manager.direct.getBatch(STREAMS.ledger, {
    seq: fromSequence,
    batch,
    max_bytes: PAGE_BYTES_MAX,
    callback: (done, message) => {
      if (done === null) page.push(message);
      else if (done.err === undefined) resolve();
      else reject(done.err);
    },
  });
  await promise;
  return page;
}

/**
 * Messages from `fromSequence` on, for ever, through restarts of the server and of the connection; ends when the signal
 * is aborted. Waits without limit while the server is away.
 */
export async function* followMessages(
  client: JetStreamClient,
  options: { readonly fromSequence: number; readonly signal: AbortSignal },
): AsyncIterable<EntryMessage> {
  let next = Math.max(1, options.fromSequence);
  while (!options.signal.aborted) {
    try {
      for await (const message of consumeFrom(client, next, options.signal)) {
        if (message.sequence !== next) break;
        next += 1;
        yield message;
      }
    } catch (error) {
      // A server that is away is expected here: the consumer is opened anew where it stopped. Our own errors are not.
      if (error instanceof FleetError) throw error;
    }
    await delay(RESTART_DELAY_MS, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

async function* consumeFrom(
  client: JetStreamClient,
  fromSequence: number,
  signal: AbortSignal,
): AsyncIterable<EntryMessage> {
  const consumer = await client.consumers.get(STREAMS.ledger, {
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: fromSequence,
  });
  const messages = await consumer.consume({
    max_messages: FOLLOW_ENTRIES_MAX,
    idle_heartbeat: IDLE_HEARTBEAT_MS,
    expires: PULL_EXPIRES_MS,
    abort_on_missing_resource: true,
  });
  const stop = (): void => messages.stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) return;
    for await (const message of messages)
      yield { sequence: message.seq, subject: message.subject, bytes: message.data };
  } finally {
    signal.removeEventListener('abort', stop);
    messages.stop();
    await consumer.delete().catch(() => false);
  }
}

function missing(sequence: number): FleetError {
  return new FleetError('LEDGER_TAMPERED', `entry ${sequence} of the ledger is missing`, { details: { sequence } });
}
