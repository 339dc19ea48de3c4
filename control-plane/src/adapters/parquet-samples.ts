/** Sampled feature inputs as Parquet partitions: what is filtered by as columns, the sample itself as the bytes that the vehicle sent. */
import type { SampleArchive } from '../monitoring/ports.ts';
import type { Row, SampledVectorFilter, StoredSample } from '../ports.ts';
import { ParquetPartitions } from './parquet-partitions.ts';

const PENDING_COLUMNS = `
  vehicle_id VARCHAR, session VARCHAR, feature_set VARCHAR, window_start_ns BIGINT, window_end_ns BIGINT,
  received_at_ms BIGINT, sample_bytes INTEGER, sample BLOB`;
/** What a vector is known by: a sample that a vehicle has sent again is the same one. */
const IDENTITY = 'vehicle_id, session, feature_set, window_start_ns, window_end_ns';

export class ParquetSamples implements SampleArchive {
  readonly #partitions: ParquetPartitions;

  private constructor(partitions: ParquetPartitions) {
    this.#partitions = partitions;
  }

  /** `bytesMax` is for all of them together; the oldest leave first. */
  static async open(folder: string, bytesMax: number): Promise<ParquetSamples> {
    const options = { kind: 'feature-sample', pending: PENDING_COLUMNS, bytesMax };
    return new ParquetSamples(await ParquetPartitions.open(folder, options));
  }

  get lastSequence(): number {
    return this.#partitions.lastSequence;
  }

  async write(samples: readonly StoredSample[], firstSequence: number, lastSequence: number): Promise<void> {
    const { connection } = this.#partitions;
    await connection.run('DELETE FROM pending');
    const appender = await connection.createAppender('pending');
    for (const sample of samples) {
      appender.appendVarchar(sample.vehicleId);
      appender.appendVarchar(sample.session);
      appender.appendVarchar(sample.featureSet);
      appender.appendBigInt(sample.windowStartNs);
      appender.appendBigInt(sample.windowEndNs);
      appender.appendBigInt(BigInt(sample.receivedAtMs));
      appender.appendInteger(sample.bytes.length);
      appender.appendBlob(sample.bytes);
      appender.endRow();
    }
    appender.closeSync();
    await this.#partitions.write(firstSequence, lastSequence);
  }

  /** The places of the newest ones are found without their bytes, which are then read of these alone. */
  async select({ featureSet, vehicles, sinceMs, countMax, bytesMax }: SampledVectorFilter): Promise<StoredSample[]> {
    if (await this.#partitions.isEmpty()) return [];
    const isMine = vehicles.length === 0 ? '' : `AND list_contains(from_json($vehicles, '["VARCHAR"]'), vehicle_id)`;
    const from = this.#partitions.source(', filename = true, file_row_number = true');
    const reader = await this.#partitions.read(
      `WITH own AS (
         SELECT ${IDENTITY}, filename, file_row_number, received_at_ms, sample_bytes
         FROM ${from}
         WHERE feature_set = $featureSet AND received_at_ms >= $sinceMs ${isMine}
         QUALIFY row_number() OVER (PARTITION BY ${IDENTITY} ORDER BY received_at_ms, filename, file_row_number) = 1),
       chosen AS (
         SELECT filename, file_row_number FROM own
         WINDOW newest AS (ORDER BY received_at_ms DESC, ${IDENTITY} ROWS UNBOUNDED PRECEDING)
         QUALIFY sum(sample_bytes) OVER newest <= ${Math.trunc(bytesMax)} AND row_number() OVER newest <= ${Math.trunc(countMax)})
       SELECT all_samples.* FROM ${from} AS all_samples JOIN chosen USING (filename, file_row_number)
       ORDER BY ${IDENTITY}`,
      { featureSet, sinceMs: sinceMs ?? 0, ...(vehicles.length === 0 ? {} : { vehicles: JSON.stringify(vehicles) }) },
    );
    return reader.getRowObjects().map(toSample);
  }
}

function toSample(row: Row): StoredSample {
  return {
    vehicleId: String(row['vehicle_id']),
    session: String(row['session']),
    featureSet: String(row['feature_set']),
    windowStartNs: BigInt(String(row['window_start_ns'])),
    windowEndNs: BigInt(String(row['window_end_ns'])),
    receivedAtMs: Number(row['received_at_ms']),
    // Of DuckDB's own: a view on a buffer that is larger.
    bytes: Uint8Array.from((row['sample'] as { readonly bytes: Uint8Array }).bytes),
  };
}
