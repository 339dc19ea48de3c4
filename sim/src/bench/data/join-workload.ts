/** The tables of the join figure, the same for us and for the peer: a feature table of a fleet, and instants to join it to. */
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

export const FEATURE_ROWS = 1_000_000;
export const FEATURE_COLUMNS = 50;
export const ENTITY_ROWS = 100_000;
export const MAX_AGE_SECONDS = 60;
/**
 * Drives, each with 20 windows. Feast's file store joins each entity with all rows of its key before it looks at time: with 2,000
 * windows for each of 500 keys it asks for 75 GB, so the rows are shared out such that it can answer at all.
 */
const VEHICLES = 50_000;
/** Windows follow each other at this distance; arrival is up to 20 s later. */
const HOP_SECONDS = 5;
const START_NS = 1_790_000_000_000_000_000n;

export type JoinTables = {
  /** vehicle, event_time_ns */
  readonly entities: string;
  /** vehicle, window_start_ns, window_end_ns, 50 features */
  readonly features: string;
  /** The same rows with available_ns: what had not arrived is not joined, a check that the peer does not make. */
  readonly arrivals: string;
  /** The same rows as the peer reads them, with timestamps in µs: vehicle, event_timestamp (and created). */
  readonly peerEntities: string;
  readonly peerFeatures: string;
};

/** Writes the four files; hashes instead of random numbers, so that each run has the same rows. */
export async function writeJoinTables(folder: string): Promise<JoinTables> {
  const path = (name: string): string => join(folder, `${name}.parquet`);
  const tables = {
    entities: path('entities'),
    features: path('features'),
    arrivals: path('arrivals'),
    peerEntities: path('peer-entities'),
    peerFeatures: path('peer-features'),
  };
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '1GB', threads: '2' });
  const connection = await instance.connect();
  try {
    const values = Array.from(
      { length: FEATURE_COLUMNS },
      (_, index) => `(hash(i * ${FEATURE_COLUMNS} + ${index}) % 1000000) / 1000.0 AS f${index}`,
    );
    const end = `${START_NS} + (i // ${VEHICLES}) * ${HOP_SECONDS}000000000`;
    const rows = `SELECT 'vehicle-' || (i % ${VEHICLES}) AS vehicle, ${end} - 5000000000 AS window_start_ns, ${end} AS window_end_ns,
      ${end} + (hash(i) % 20000)::BIGINT * 1000000 AS available_ns, ${values.join(', ')} FROM range(${FEATURE_ROWS}) t(i)`;
    await connection.run(`COPY (${rows}) TO '${tables.arrivals}' (FORMAT parquet, COMPRESSION zstd)`);
    await connection.run(
      `COPY (SELECT * EXCLUDE (available_ns) FROM read_parquet('${tables.arrivals}')) TO '${tables.features}' (FORMAT parquet, COMPRESSION zstd)`,
    );
    const spanMs = (FEATURE_ROWS / VEHICLES) * HOP_SECONDS * 1_000;
    // Each instant of a drive once: the peer answers equal ones only once.
    const shareMs = spanMs / (ENTITY_ROWS / VEHICLES);
    const asked = `SELECT 'vehicle-' || (i % ${VEHICLES}) AS vehicle,
      ${START_NS} + ((i // ${VEHICLES}) * ${shareMs} + (hash(i * 7) % ${shareMs})::BIGINT) * 1000000 AS event_time_ns FROM range(${ENTITY_ROWS}) t(i)`;
    await connection.run(`COPY (${asked}) TO '${tables.entities}' (FORMAT parquet, COMPRESSION zstd)`);
    const timestamp = (column: string): string => `make_timestamp(${column} // 1000)::TIMESTAMPTZ`;
    await connection.run(
      `COPY (SELECT vehicle, ${timestamp('event_time_ns')} AS event_timestamp FROM read_parquet('${tables.entities}')) TO '${tables.peerEntities}' (FORMAT parquet, COMPRESSION zstd)`,
    );
    await connection.run(
      `COPY (SELECT vehicle, ${timestamp('window_end_ns')} AS event_timestamp, ${timestamp('available_ns')} AS created, * EXCLUDE (vehicle, window_start_ns, window_end_ns, available_ns)
       FROM read_parquet('${tables.arrivals}')) TO '${tables.peerFeatures}' (FORMAT parquet, COMPRESSION zstd)`,
    );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
  return tables;
}
