/** Inferences as Parquet partitions, written and read by DuckDB; the file name holds the telemetry sequences inside. */
import { DOUBLE, LIST } from '@duckdb/node-api';
import type { InferenceArchive } from '../monitoring/ports.ts';
import type { InferenceHistoryFilter, InferenceWindow, Row } from '../ports.ts';
import { ParquetPartitions } from './parquet-partitions.ts';

const PENDING_COLUMNS = `
  vehicle_id VARCHAR, hardware_revision VARCHAR, bundle VARCHAR, variant VARCHAR, director_counter INTEGER, role VARCHAR,
  sequence BIGINT, session VARCHAR, window_start_ns BIGINT, window_end_ns BIGINT, output VARCHAR, confidence DOUBLE,
  distance DOUBLE, latency_us INTEGER, fallback BOOLEAN, features DOUBLE[], received_at_ms BIGINT`;

export class ParquetInferences implements InferenceArchive {
  readonly #partitions: ParquetPartitions;

  private constructor(partitions: ParquetPartitions) {
    this.#partitions = partitions;
  }

  /** `bytesMax` is for all of them together; the oldest leave first. */
  static async open(folder: string, bytesMax: number): Promise<ParquetInferences> {
    const options = { kind: 'inference', pending: PENDING_COLUMNS, bytesMax };
    return new ParquetInferences(await ParquetPartitions.open(folder, options));
  }

  get lastSequence(): number {
    return this.#partitions.lastSequence;
  }

  async write(windows: readonly InferenceWindow[], firstSequence: number, lastSequence: number): Promise<void> {
    const { connection } = this.#partitions;
    await connection.run('DELETE FROM pending');
    const appender = await connection.createAppender('pending');
    for (const window of windows) {
      appender.appendVarchar(window.vehicleId);
      appender.appendVarchar(window.hardwareRevision);
      appender.appendVarchar(window.bundle);
      appender.appendVarchar(window.variant);
      appender.appendInteger(window.directorCounter);
      appender.appendVarchar(window.role);
      appender.appendBigInt(BigInt(window.sequence));
      appender.appendVarchar(window.session);
      appender.appendBigInt(window.windowStartNs);
      appender.appendBigInt(window.windowEndNs);
      appender.appendVarchar(window.output);
      appender.appendDouble(window.confidence);
      appender.appendDouble(window.distance);
      appender.appendInteger(window.latencyUs);
      appender.appendBoolean(window.fallback);
      appender.appendList([...window.features], LIST(DOUBLE));
      appender.appendBigInt(BigInt(window.receivedAtMs));
      appender.endRow();
    }
    appender.closeSync();
    await this.#partitions.write(firstSequence, lastSequence);
  }

  async newest(perVehicleMax: number): Promise<readonly InferenceWindow[]> {
    return this.#select(
      `QUALIFY row_number() OVER (PARTITION BY vehicle_id ORDER BY received_at_ms DESC, sequence DESC) <= ${perVehicleMax} ORDER BY received_at_ms, sequence`,
      {},
    );
  }

  async select({ bundles, vehicles, sinceMs, limit }: InferenceHistoryFilter): Promise<readonly InferenceWindow[]> {
    const list = (name: string): string => `from_json($${name}, '["VARCHAR"]')`;
    const isMine = vehicles === undefined ? '' : `AND list_contains(${list('vehicles')}, vehicle_id)`;
    const newest = await this.#select(
      `WHERE list_contains(${list('bundles')}, bundle) AND received_at_ms >= $sinceMs ${isMine}
       ORDER BY received_at_ms DESC, vehicle_id, sequence DESC LIMIT ${Math.trunc(limit)}`,
      {
        bundles: JSON.stringify(bundles),
        sinceMs: sinceMs ?? 0,
        ...(vehicles === undefined ? {} : { vehicles: JSON.stringify(vehicles) }),
      },
    );
    return newest.toReversed();
  }

  async find(vehicleId: string, sequence: number): Promise<InferenceWindow | undefined> {
    const [window] = await this.#select(
      'WHERE vehicle_id = $vehicleId AND sequence = $sequence ORDER BY received_at_ms DESC LIMIT 1',
      { vehicleId, sequence },
    );
    return window;
  }

  async #select(clauses: string, parameters: Record<string, string | number>): Promise<InferenceWindow[]> {
    if (await this.#partitions.isEmpty()) return [];
    const reader = await this.#partitions.read(`SELECT * FROM ${this.#partitions.source()} ${clauses}`, parameters);
    return reader.getRowObjectsJS().map(toWindow);
  }
}

function toWindow(row: Row): InferenceWindow {
  return {
    vehicleId: String(row['vehicle_id']),
    hardwareRevision: String(row['hardware_revision']),
    bundle: String(row['bundle']),
    variant: String(row['variant']),
    directorCounter: Number(row['director_counter']),
    role: row['role'] === 'shadow' ? 'shadow' : 'active',
    sequence: Number(row['sequence']),
    session: String(row['session']),
    windowStartNs: BigInt(String(row['window_start_ns'])),
    windowEndNs: BigInt(String(row['window_end_ns'])),
    output: String(row['output']),
    confidence: Number(row['confidence']),
    distance: Number(row['distance']),
    latencyUs: Number(row['latency_us']),
    fallback: row['fallback'] === true,
    features: Array.isArray(row['features']) ? row['features'].map(Number) : [],
    receivedAtMs: Number(row['received_at_ms']),
  };
}
