// Why this file exists: training tables need the features of whole recordings, many at once; this is the batch engine behind the
// FeatureBatch port.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type Digest, type FeatureSet, FleetError, type SourceMessage } from '@fleetloop/schemas';
import { readRecording } from '@fleetloop/schemas/recording';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { historyMs, isSessionWindow } from '@fleetloop/schemas/features';
import type { BatchOptions, FeatureBatch, FeatureRow } from '../ports.ts';
import { checkValues } from './feature-parquet.ts';
import { compileFeatureSql } from './feature-sql.ts';
import { featureColumn } from './series-plan.ts';
import { SampleTable } from './sample-table.ts';
import { lateSamplesSql } from './window-sql.ts';

/** Rows from which on a sample table takes no further recording: they are the memory of a window query. */
export const ROWS_PER_PASS_MAX = 100_000;
/** Most rows of one query, a message counted once for each window that it is in. */
export const WINDOW_ROWS_MAX = 1_000_000_000;
/** Most recordings in one call. */
export const RECORDINGS_MAX = 100_000;
/**
 * One thread: with several, sums are merged in the order in which threads end, and equal recordings give features that differ in
 * their last bit. What does not fit into memory is spilled beside other temporary files, not into the working folder.
 */
const DUCKDB_OPTIONS = { memory_limit: '256MB', threads: '1', temp_directory: join(tmpdir(), 'fleetloop-features') };

/** Where the bytes of recordings come from: the part of the blob store that is needed here. */
export type RecordingBlobs = { open(digest: Digest): Promise<Readable> };

/** A batch engine with a DuckDB of its own, in memory. Close it when done. */
export async function createFeatureBatch(blobs: RecordingBlobs): Promise<FeatureBatch & { close(): void }> {
  const instance = await DuckDBInstance.create(':memory:', DUCKDB_OPTIONS);
  return new DuckDbFeatureBatch(instance, async (digest) => messagesOf(readRecording(await blobs.open(digest))));
}

/** Computes the features of messages in memory: what parity is checked against. */
export async function computeFromMessages(
  featureSet: FeatureSet,
  messages: AsyncIterable<SourceMessage> | Iterable<SourceMessage>,
  options: BatchOptions = {},
): Promise<readonly FeatureRow[]> {
  const instance = await DuckDBInstance.create(':memory:', DUCKDB_OPTIONS);
  const batch = new DuckDbFeatureBatch(instance, async () => messages);
  try {
    return await batch.compute('' as Digest, featureSet, options);
  } finally {
    batch.close();
  }
}

/** Computes the features of many short stretches of messages in few queries; the answers are in the order of the stretches. */
export async function computeEach(
  featureSet: FeatureSet,
  stretches: readonly Iterable<SourceMessage>[],
  options: BatchOptions = {},
): Promise<readonly (readonly FeatureRow[])[]> {
  const instance = await DuckDBInstance.create(':memory:', DUCKDB_OPTIONS);
  const batch = new DuckDbFeatureBatch(instance, async (name) => stretches[Number(name)] ?? []);
  try {
    const names = stretches.map((_, index) => String(index) as Digest);
    const rows = await batch.computeMany(names, featureSet, options);
    return names.map((name) => rows.get(name) ?? []);
  } finally {
    batch.close();
  }
}

type OpenMessages = (digest: Digest) => Promise<AsyncIterable<SourceMessage> | Iterable<SourceMessage>>;

class DuckDbFeatureBatch implements FeatureBatch {
  readonly #instance: DuckDBInstance;
  readonly #openMessages: OpenMessages;
  #tables = 0;

  constructor(instance: DuckDBInstance, openMessages: OpenMessages) {
    this.#instance = instance;
    this.#openMessages = openMessages;
  }

  async compute(recording: Digest, featureSet: FeatureSet, options: BatchOptions = {}): Promise<readonly FeatureRow[]> {
    return (await this.computeMany([recording], featureSet, options)).get(recording) ?? [];
  }

  async computeMany(
    recordings: readonly Digest[],
    featureSet: FeatureSet,
    { signal, onLateSamples }: BatchOptions = {},
  ): Promise<ReadonlyMap<Digest, readonly FeatureRow[]>> {
    if (recordings.length > RECORDINGS_MAX) {
      throw new FleetError(
        'REQUEST_INVALID',
        `${recordings.length} recordings in one call, more than ${RECORDINGS_MAX}`,
      );
    }
    const rows = new Map<Digest, FeatureRow[]>(recordings.map((digest) => [digest, []]));
    const queue = [...rows.keys()];
    // A connection of its own: temporary tables are per connection, so that concurrent calls do not meet.
    const connection = await this.#instance.connect();
    const interrupt = (): void => connection.interrupt();
    signal?.addEventListener('abort', interrupt, { once: true });
    try {
      let done = 0;
      while (done < queue.length) {
        signal?.throwIfAborted();
        done += await this.#pass(connection, queue.slice(done), featureSet, { rows, onLateSamples });
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', interrupt);
      connection.closeSync();
    }
    return rows;
  }

  close(): void {
    this.#instance.closeSync();
  }

  /** Fills one table with as many recordings as it takes and queries it. Returns how many it took. */
  async #pass(
    connection: DuckDBConnection,
    queue: readonly Digest[],
    featureSet: FeatureSet,
    { rows, onLateSamples }: { readonly rows: Map<Digest, FeatureRow[]> } & Pick<BatchOptions, 'onLateSamples'>,
  ): Promise<number> {
    this.#tables += 1;
    const table = await SampleTable.create(connection, featureSet, `samples_${this.#tables}`);
    try {
      let appended = 0;
      let taken = 0;
      for (const digest of queue) {
        appended += await this.#append(table, taken, digest);
        taken += 1;
        if (appended >= ROWS_PER_PASS_MAX) break;
      }
      table.flush();
      checkExpansion(featureSet, appended);
      const result = await connection.runAndReadAll(compileFeatureSql(featureSet, table.name));
      checkValues(featureSet, result.currentRowCount);
      for (const row of result.getRowObjectsJS()) {
        const digest = queue[Number(row['recording'])];
        if (digest !== undefined) rows.get(digest)?.push(toFeatureRow(row, featureSet));
      }
      if (onLateSamples !== undefined) {
        const late = await connection.runAndReadAll(lateSamplesSql(featureSet, table.name));
        for (const row of late.getRowObjectsJS()) {
          const digest = queue[Number(row['recording'])];
          if (digest !== undefined) onLateSamples(digest, Number(row['late']));
        }
      }
      return taken;
    } finally {
      await table.close();
    }
  }

  async #append(table: SampleTable, number: number, digest: Digest): Promise<number> {
    try {
      return await table.append(number, await this.#openMessages(digest));
    } catch (thrown) {
      const failure = FleetError.from(thrown);
      throw new FleetError(failure.code, digest === '' ? failure.message : `recording ${digest}: ${failure.message}`, {
        cause: thrown,
        details: { recording: digest },
      });
    }
  }
}

/** @throws FleetError FEATURE_LIMIT when each sample is part of so many windows that the query would not end */
function checkExpansion(featureSet: FeatureSet, rows: number): void {
  const { window } = featureSet;
  const windowsPerRow = isSessionWindow(window)
    ? 1
    : Math.ceil((window.lengthMs + historyMs(featureSet)) / window.hopMs);
  if (rows * windowsPerRow <= WINDOW_ROWS_MAX) return;
  throw new FleetError(
    'FEATURE_LIMIT',
    `${rows} messages in ${windowsPerRow} windows each are more than ${WINDOW_ROWS_MAX}: cut the recording, or raise hopMs of ${featureSet.name}`,
  );
}

function toFeatureRow(row: Readonly<Record<string, unknown>>, featureSet: FeatureSet): FeatureRow {
  return {
    windowStartNs: BigInt(row['window_start_ns'] as bigint),
    windowEndNs: BigInt(row['window_end_ns'] as bigint),
    values: featureSet.features.map((_, index) => {
      const value = row[featureColumn(index)];
      return value === null ? Number.NaN : Number(value);
    }),
  };
}

async function* messagesOf(items: ReturnType<typeof readRecording>): AsyncGenerator<SourceMessage> {
  for await (const item of items) if (item.kind === 'message') yield item.message;
}
