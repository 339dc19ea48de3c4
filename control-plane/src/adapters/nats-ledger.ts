/**
 * Why: the ledger is a JetStream stream that nobody can delete from. Facts that belong together go in as one atomic
 * batch, and a writer who decided on an old state is refused (expected last sequence of the subject).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { FleetError, type NewFact, STREAMS } from '@fleetloop/schemas';
import { JetStreamApiError, type JetStreamManager, jetstreamManager, type StoredMsg } from '@nats-io/jetstream';
import { headers, type Msg, type MsgHdrs, type NatsConnection, TimeoutError } from '@nats-io/transport-node';
import { asLedgerError } from './nats-ledger-errors.ts';
import { checkedEntry } from '../ledger/checked-entry.ts';
import { type EncodedEntry, encodeEntry } from '../ledger/entry-coding.ts';
import type { ReadRange, StoredEntry, UncheckedEntry, UncheckedLedger } from '../ports.ts';
import { followMessages, readMessages } from './nats-ledger-reader.ts';
import { openLedgerStream } from './nats-ledger-stream.ts';
import { BATCH_COMMIT, BATCH_ID, BATCH_SEQUENCE, tornPrefixOf } from './torn-batch.ts';
import { type UnsettledBatch, UnsettledBatches } from './unsettled-batches.ts';

/** The server takes at most 1,000 messages in one atomic batch. */
export const APPEND_FACTS_MAX = 1_000;
/** It holds all of a batch until it is committed. */
export const APPEND_BYTES_MAX = 64 * 1024 * 1024;
const PUBLISH_TIMEOUT_MS = 5_000;
/** A question that gets no answer is asked again, as the server may have been restarted in between. */
const QUESTION_TIMEOUT_MS = 2_000;
const QUESTION_ATTEMPTS_MAX = 5;
const QUESTION_DELAY_MS = 200;

export type NatsLedgerOptions = {
  /** Time of an append. */
  readonly now: () => Date;
  readonly replicas?: number;
};

/** The ledger on one NATS connection, which stays the caller's to close. */
export class NatsLedger implements UncheckedLedger {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #now: () => Date;
  /** Atomic batches go one after the other: the server holds few of them open at a time. */
  #lastBatch: Promise<unknown> = Promise.resolve();
  readonly #unsettled = new UnsettledBatches({
    complete: async (batch) => this.#inTurn(async () => this.#complete(batch)),
    size: async () => this.size(),
    isOver: () => this.#connection.isClosed(),
  });

  private constructor(connection: NatsConnection, manager: JetStreamManager, now: () => Date) {
    this.#connection = connection;
    this.#manager = manager;
    this.#now = now;
  }

  /**
   * Opens the ledger, creating its stream when absent.
   * @throws FleetError LEDGER_UNAVAILABLE; CONFIG_INVALID when a stream of that name could lose entries; LEDGER_TAMPERED
   * when entries are missing from it
   */
  static async open(connection: NatsConnection, options: NatsLedgerOptions): Promise<NatsLedger> {
    try {
      const manager = await jetstreamManager(connection, { timeout: QUESTION_TIMEOUT_MS });
      await openLedgerStream(manager, options.replicas ?? 1);
      return new NatsLedger(connection, manager, options.now);
    } catch (error) {
      throw asLedgerError(error);
    }
  }

  /**
   * Appends all facts or none. When this throws LEDGER_UNAVAILABLE the facts may nevertheless have been stored: a
   * writer that retries gives `expect`, so that the second attempt is a conflict and never a second fact.
   */
  async append(
    facts: readonly NewFact[],
    options: { readonly expect?: Readonly<Record<string, number>> } = {},
  ): Promise<{ readonly sequences: readonly number[] }> {
    if (facts.length === 0 || facts.length > APPEND_FACTS_MAX) {
      throw new FleetError(
        'LEDGER_ENTRY_INVALID',
        `an append takes 1 to ${APPEND_FACTS_MAX} facts, not ${facts.length}`,
      );
    }
    const at = this.#now();
    const entries = facts.map((fact) => encodeEntry(fact, at));
    const sizeBytes = entries.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (sizeBytes > APPEND_BYTES_MAX)
      throw new FleetError(
        'LEDGER_ENTRY_INVALID',
        `an append takes ${APPEND_BYTES_MAX} bytes, not ${sizeBytes}: append in parts, or store bulk as blobs and name their digests`,
      );
    const expect = expectations(entries, options.expect ?? {});
    if (entries.length === 1) return { sequences: [await this.#publish(entries, expect)] };
    return { sequences: await this.#inTurn(async () => this.#appendBatch({ entries, expect })) };
  }

  /** A repeated append that finds the beginning of a former attempt, and only that, adds the rest. */
  async #appendBatch({ entries, expect }: UnsettledBatch): Promise<readonly number[]> {
    try {
      return consecutive(await this.#publish(entries, expect), entries.length);
    } catch (error) {
      const code = FleetError.from(error).code;
      if (code === 'LEDGER_UNAVAILABLE') this.#unsettled.add({ entries, expect });
      const sequences = code === 'LEDGER_CONFLICT' ? await this.#complete({ entries, expect }) : undefined;
      if (sequences === undefined) throw error;
      return sequences;
    }
  }

  /** Adds what is lacking of an append of which the server has kept the beginning only; undefined where it did not. */
  async #complete({ entries, expect }: UnsettledBatch): Promise<readonly number[] | undefined> {
    const standing = await ask(async () => tornPrefixOf(this.#manager, entries));
    if (standing === undefined) return undefined;
    const rest = entries.slice(standing.length);
    const told = new Set(entries.slice(0, standing.length).map(({ subject }) => subject));
    const last = await this.#publish(
      rest,
      // Of a subject that stands already, the expectation was about the entry that stands.
      rest.map(({ subject }, index) => (told.has(subject) ? undefined : expect[standing.length + index])),
    );
    return [...standing, ...consecutive(last, rest.length)];
  }

  async lastSequenceOf(subject: string): Promise<number> {
    return (await ask(async () => this.#lastMessageOf(subject)))?.seq ?? 0;
  }

  async size(): Promise<number> {
    return ask(async () => (await this.#manager.streams.info(STREAMS.ledger)).state.last_seq);
  }

  async *read(options: ReadRange): AsyncIterable<StoredEntry> {
    for await (const entry of this.readUnchecked(options)) yield checkedEntry(entry);
  }

  async *readUnchecked(options: ReadRange): AsyncIterable<UncheckedEntry> {
    const size = await this.size();
    const range = { fromSequence: options.fromSequence, toSequence: Math.min(options.toSequence ?? size, size) };
    try {
      for await (const entry of readMessages(this.#manager, range)) {
        options.signal?.throwIfAborted();
        yield entry;
      }
    } catch (error) {
      if (options.signal?.aborted === true) throw error;
      throw asLedgerError(error);
    }
  }

  async *follow(options: { readonly fromSequence: number; readonly signal: AbortSignal }): AsyncIterable<StoredEntry> {
    for await (const message of followMessages(this.#manager.jetstream(), options)) yield checkedEntry(message);
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#lastBatch.then(work, work);
    this.#lastBatch = turn.catch(() => undefined);
    return turn;
  }

  /**
   * One entry is a plain publish; several are an atomic batch (ADR-50 of NATS). The client's own batch object is not
   * used because its commit does not look at the error in the reply, so that a conflict could not be told from a fault.
   */
  async #publish(entries: readonly EncodedEntry[], expect: readonly (number | undefined)[]): Promise<number> {
    const batch = entries.length === 1 ? undefined : crypto.randomUUID();
    const last = entries.length - 1;
    try {
      for (const [index, entry] of entries.slice(0, last).entries()) {
        this.#connection.publish(`ledger.${entry.subject}`, entry.bytes, {
          headers: entryHeaders(expect[index], batch, index + 1),
        });
      }
      const final = entryHeaders(expect[last], batch, entries.length);
      if (batch !== undefined) final.set(BATCH_COMMIT, '1');
      const entry = entries[last] as EncodedEntry;
      return sequenceOfReply(
        await this.#connection.request(`ledger.${entry.subject}`, entry.bytes, {
          headers: final,
          timeout: PUBLISH_TIMEOUT_MS,
        }),
      );
    } catch (error) {
      const sequence = error instanceof TimeoutError ? await this.#sequenceIfStored(entries[last]) : undefined;
      if (sequence !== undefined) return sequence;
      throw asLedgerError(error);
    }
  }

  /** Whether an append whose acknowledgement was lost did reach the ledger: its last entry is the last of its subject. */
  async #sequenceIfStored(entry: EncodedEntry | undefined): Promise<number | undefined> {
    if (entry === undefined) return undefined;
    const message = await ask(async () => this.#lastMessageOf(entry.subject));
    return message !== null && Buffer.compare(message.data, entry.bytes) === 0 ? message.seq : undefined;
  }

  async #lastMessageOf(subject: string): Promise<StoredMsg | null> {
    return this.#manager.direct.getMessage(STREAMS.ledger, { last_by_subj: `ledger.${subject}` });
  }
}

function consecutive(last: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => last - count + 1 + index);
}

/** Asks until there is an answer, a refusal, or the attempts are used up. */
async function ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await question();
    } catch (error) {
      if (error instanceof JetStreamApiError || attempt === QUESTION_ATTEMPTS_MAX) throw asLedgerError(error);
    }
    await delay(QUESTION_DELAY_MS);
  }
}

/** The expected last sequence per entry: on the first entry of each subject only, as the server checks it per subject. */
function expectations(
  entries: readonly EncodedEntry[],
  expect: Readonly<Record<string, number>>,
): (number | undefined)[] {
  const open = new Map(Object.entries(expect));
  const perEntry = entries.map(({ subject }) => {
    const sequence = open.get(subject);
    open.delete(subject);
    return sequence;
  });
  const unknown = [...open.keys()][0];
  if (unknown !== undefined) {
    throw new FleetError(
      'LEDGER_ENTRY_INVALID',
      `an expectation names ${unknown}, to which no fact of this append belongs`,
    );
  }
  return perEntry;
}

function entryHeaders(expected: number | undefined, batch: string | undefined, batchSequence: number): MsgHdrs {
  const map = headers();
  if (expected !== undefined) map.set('Nats-Expected-Last-Subject-Sequence', String(expected));
  if (batch !== undefined) {
    map.set(BATCH_ID, batch);
    map.set(BATCH_SEQUENCE, String(batchSequence));
  }
  return map;
}

type PublishReply = {
  readonly seq?: number;
  readonly error?: { readonly code: number; readonly err_code: number; readonly description: string };
};

function sequenceOfReply(message: Msg): number {
  const reply = message.json<PublishReply>();
  if (reply.error !== undefined) throw new JetStreamApiError(reply.error);
  if (reply.seq === undefined || reply.seq < 1)
    throw new FleetError('LEDGER_UNAVAILABLE', 'the stream acknowledged an append without a sequence');
  return reply.seq;
}
