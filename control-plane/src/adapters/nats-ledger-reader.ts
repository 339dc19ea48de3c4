/** Why: reading the ledger must hold its order and its completeness: a sequence that is skipped is an error, not an entry less. */
import { FleetError, STREAMS } from '@fleetloop/schemas';
import { DeliverPolicy, type JetStreamClient, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import type { UncheckedEntry } from '../ports.ts';

/** Entries of one page; two pages are in memory at a time: one that is read, and the next one, which is on its way. */
const PAGE_ENTRIES = 512;
const PAGE_ATTEMPTS_MAX = 3;
const PAGE_BYTES_MAX = 8 * 1024 * 1024;
/** Entries that whoever reads from a consumer may hold unprocessed. */
const CONSUME_ENTRIES_MAX = 512;
/** So many entries are worth a consumer of their own on the server. */
const CONSUMED_ENTRIES_MIN = 2_000;
/** A consumer that gives nothing for so long is given up. */
const STALLED_TURNS = 2;
const STALLED_TURN_MS = 2_000;
/** The server answers at least this often, or the connection counts as broken. */
const IDLE_HEARTBEAT_MS = 2_000;
const PULL_EXPIRES_MS = 30_000;
const RESTART_DELAY_MS = 200;

type Range = { readonly fromSequence: number; readonly toSequence: number };

/**
 * Messages [fromSequence, toSequence] in order. Many are taken from a consumer, which costs less than asking for each page; where
 * that breaks off, and where there are few, they are asked for.
 * @throws FleetError LEDGER_TAMPERED when one is missing
 */
export async function* readMessages(manager: JetStreamManager, range: Range): AsyncIterable<UncheckedEntry> {
  let fromSequence = Math.max(1, range.fromSequence);
  if (range.toSequence - fromSequence >= CONSUMED_ENTRIES_MIN) {
    for await (const entry of consumeWhole(manager.jetstream(), { ...range, fromSequence })) {
      fromSequence = entry.sequence + 1;
      yield entry;
    }
  }
  yield* readPages(manager, { ...range, fromSequence });
}

/** Messages by direct gets, page by page, each asked for while the one before is read. */
async function* readPages(manager: JetStreamManager, range: Range): AsyncIterable<UncheckedEntry> {
  const ask = (from: number): Promise<StoredMsg[]> => {
    const page =
      from > range.toSequence ? Promise.resolve([]) : readPageAgain(manager, from, range.toSequence - from + 1);
    // Whoever reads no further does not wait for the page that is on its way.
    page.catch(() => undefined);
    return page;
  };
  let next = range.fromSequence;
  let coming = ask(next);
  while (next <= range.toSequence) {
    const page = await coming;
    if (page.length === 0) throw missing(next);
    coming = ask(next + page.length);
    for (const message of page) {
      if (message.seq !== next) throw missing(next);
      yield { sequence: next, subject: message.subject, bytes: message.data };
      next += 1;
    }
  }
}

/** Ends early, without an error, where the next message does not come: whether it is missing is for a direct get to say. */
async function* consumeWhole(client: JetStreamClient, range: Range): AsyncIterable<UncheckedEntry> {
  const stop = new AbortController();
  // Whoever reads may take his time; the server may not.
  let isAsked = true;
  let turns = 0;
  const watch = setInterval(() => {
    turns += isAsked ? 1 : 0;
    if (turns >= STALLED_TURNS) stop.abort();
  }, STALLED_TURN_MS);
  let next = range.fromSequence;
  try {
    for await (const entry of consumeFrom(client, next, stop.signal)) {
      if (entry.sequence !== next) return;
      isAsked = false;
      yield entry;
      isAsked = true;
      turns = 0;
      next += 1;
      if (next > range.toSequence) return;
    }
  } catch (error) {
    if (error instanceof FleetError) throw error;
  } finally {
    clearInterval(watch);
  }
}

/** A page that breaks off is asked for again, as the server may have been restarted in between. */
async function readPageAgain(manager: JetStreamManager, fromSequence: number, most: number): Promise<StoredMsg[]> {
  const batch = Math.min(PAGE_ENTRIES, most);
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
): AsyncIterable<UncheckedEntry> {
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
): AsyncIterable<UncheckedEntry> {
  const consumer = await client.consumers.get(STREAMS.ledger, {
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: fromSequence,
  });
  const messages = await consumer.consume({
    max_messages: CONSUME_ENTRIES_MAX,
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
