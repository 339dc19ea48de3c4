// Why this file exists: SQL needs the samples of many recordings in one table, and rows must get there without an object per cell.
import {
  FleetError,
  type FeatureSet,
  type SignalChannel,
  type SignalMessage,
  type SourceMessage,
} from '@fleetloop/schemas';
import { bindChannel, type ChannelBinding, SAMPLE_ABS_MAX } from '@fleetloop/schemas/features';
import { BIGINT, DOUBLE, type DuckDBAppender, type DuckDBConnection, DuckDBDataChunk, INTEGER } from '@duckdb/node-api';
import { refuseMissingInputs } from './missing-inputs.ts';
import { signalColumn } from './series-plan.ts';
import { SAMPLES_COLUMNS } from './window-sql.ts';

/** DuckDB's vector size: rows per appended chunk. */
const CHUNK_ROWS = 2_048;
/** Most messages of one recording that a table takes. */
export const SAMPLES_PER_RECORDING_MAX = 50_000_000;

/** One table of wide rows, a row per message that carries a sample of a signal of the set. Drop it by `close`. */
export class SampleTable {
  readonly name: string;
  readonly #connection: DuckDBConnection;
  readonly #featureSet: FeatureSet;
  readonly #appender: DuckDBAppender;
  readonly #chunk: DuckDBDataChunk;
  readonly #columns: (number | bigint | null)[][];

  private constructor(connection: DuckDBConnection, featureSet: FeatureSet, name: string, appender: DuckDBAppender) {
    this.#connection = connection;
    this.#featureSet = featureSet;
    this.name = name;
    this.#appender = appender;
    const types = [INTEGER, INTEGER, BIGINT, BIGINT, ...featureSet.signals.map(() => DOUBLE)];
    this.#chunk = DuckDBDataChunk.create(types);
    this.#columns = types.map(() => []);
  }

  static async create(connection: DuckDBConnection, featureSet: FeatureSet, name: string): Promise<SampleTable> {
    const signals = featureSet.signals.map((_, index) => `${signalColumn(index)} DOUBLE`);
    const [recording, ordinal, logTime, watermark] = SAMPLES_COLUMNS;
    await connection.run(
      `CREATE TEMP TABLE ${name} (${recording} INTEGER, ${ordinal} INTEGER, ${logTime} BIGINT, ${watermark} BIGINT, ${signals.join(', ')})`,
    );
    return new SampleTable(connection, featureSet, name, await connection.createAppender(name));
  }

  /**
   * Appends the samples of one recording under the number `recording`. Returns the number of rows.
   * @throws FleetError FEATURE_INPUT_MISSING when a signal of the set occurs nowhere in it, FEATURE_SET_INVALID
   */
  async append(recording: number, messages: AsyncIterable<SourceMessage> | Iterable<SourceMessage>): Promise<number> {
    const bindings = new Map<SignalChannel, ChannelBinding | undefined>();
    // The first topic that carries a signal feeds it, as on the vehicle.
    const topics: (string | undefined)[] = this.#featureSet.signals.map(() => undefined);
    let ordinal = 0;
    let watermarkNs: bigint | undefined;
    for await (const message of messages) {
      if (message.kind !== 'signal') continue;
      if (!bindings.has(message.channel)) bindings.set(message.channel, this.#bind(message.channel, topics));
      const binding = bindings.get(message.channel);
      if (binding === undefined) continue;
      if (ordinal === SAMPLES_PER_RECORDING_MAX) {
        throw new FleetError('INGEST_LIMIT', `a recording has more than ${SAMPLES_PER_RECORDING_MAX} messages: cut it`);
      }
      if (watermarkNs === undefined || message.logTimeNs > watermarkNs) watermarkNs = message.logTimeNs;
      this.#row([recording, ordinal, message.logTimeNs, watermarkNs], message, binding);
      ordinal += 1;
    }
    refuseMissingInputs(this.#featureSet, (index) => topics[index] !== undefined);
    return ordinal;
  }

  /** Makes all appended rows visible to queries. */
  flush(): void {
    this.#appendChunk();
    this.#appender.flushSync();
  }

  async close(): Promise<void> {
    this.#appender.closeSync();
    await this.#connection.run(`DROP TABLE IF EXISTS ${this.name}`);
  }

  #bind(channel: SignalChannel, topics: (string | undefined)[]): ChannelBinding | undefined {
    const bound = bindChannel(this.#featureSet, channel);
    const series = bound?.series.filter(
      (entry) => entry.series < topics.length && (topics[entry.series] ??= channel.topic) === channel.topic,
    );
    return series === undefined || series.length === 0 ? undefined : { topic: channel.topic, series };
  }

  /** A message without a usable sample moves the watermark and nothing else. */
  #row(header: readonly (number | bigint)[], message: SignalMessage, binding: ChannelBinding): void {
    const columns = this.#columns;
    const row = columns[0]?.length ?? 0;
    let isUsed = false;
    for (const { series, parts } of binding.series) {
      const value = message.values[parts[0] as number] as number;
      if (!(Math.abs(value) <= SAMPLE_ABS_MAX)) continue;
      (columns[header.length + series] as (number | null)[])[row] = value;
      isUsed = true;
    }
    if (!isUsed) return;
    header.forEach((value, index) => columns[index]?.push(value));
    for (let index = header.length; index < columns.length; index += 1) {
      const column = columns[index] as (number | null)[];
      if (column.length === row) column.push(null);
    }
    if (row + 1 === CHUNK_ROWS) this.#appendChunk();
  }

  #appendChunk(): void {
    if (this.#columns[0]?.length === 0) return;
    this.#chunk.reset();
    this.#chunk.setColumns(this.#columns);
    this.#appender.appendDataChunk(this.#chunk);
    for (const column of this.#columns) column.length = 0;
  }
}
