/**
 * Point-in-time joins: what was known of an entity at an instant, and nothing that came later. A row of a feature table is known
 * from its window's end on, plus a stated delay, and, where the table says when it arrived (`available_ns`), not before that.
 * Of the rows known at an instant the one whose window ended last counts, unless it is too old.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { quoteName, quoteText } from '../training/parquet.ts';
import { knownSql, POSITION, rowsSql } from './point-in-time-sql.ts';
import { type EntityTable, type FeatureTable, readEntityTable, readFeatureTable } from './point-in-time-tables.ts';
import { requirePlaceOf, writeTableFile } from './table-file.ts';

/** Feature tables of one join. */
export const JOIN_TABLES_MAX = 64;
const MEMORY_LIMIT = '1GB';
const NS_PER_MS = 1_000_000n;

export type PointInTimeJoin = {
  /** Parquet: the entity's column, the instant's column, and whatever else is to be kept. */
  readonly entities: string;
  /** Parquet; with a name, its columns are called `name__column`. */
  readonly features: readonly { readonly path: string; readonly name?: string | undefined }[];
  /** The Parquet file to write: rows of `entities` in their order, then for each table `feature_time_ns` and its features. */
  readonly out: string;
  /** Column that names the entity, in all tables. */
  readonly entityColumn: string;
  /** Column of `entities` with the instants: ns since 1970, or a timestamp. */
  readonly timeColumn: string;
  /** A row whose window ended longer ago than this counts as missing. */
  readonly maxAgeMs: number;
  /** How long after a window's end its features can be known. */
  readonly delayMs: number;
  readonly threads?: number;
};

export type JoinedTable = {
  readonly path: string;
  readonly features: number;
  /** Entities with a row; the others have nulls. */
  readonly matched: number;
  /** Entities of which only rows older than the maximum age are known. */
  readonly tooOld: number;
};
export type JoinReport = { readonly entities: number; readonly tables: readonly JoinedTable[] };

/** @throws FleetError FEATURE_TABLE_INVALID naming the file and column, REQUEST_INVALID, FEATURE_TABLE_WRITE */
export async function joinPointInTime(request: PointInTimeJoin, signal?: AbortSignal): Promise<JoinReport> {
  checkRequest(request);
  await requirePlaceOf(request.out);
  return withJoinDatabase({ threads: request.threads ?? 1, signal }, async (connection) => {
    const entities = await readEntityTable(connection, request);
    const tables: FeatureTable[] = [];
    for (const table of request.features) tables.push(await readFeatureTable(connection, table, entities));
    checkNames(entities, tables);
    await connection.run(
      `CREATE TEMP TABLE asked AS SELECT ${POSITION}, ${entities.entity} AS entity, ${entities.time} AS at FROM ${rowsSql(entities.path)}`,
    );
    const joined: JoinedTable[] = [];
    for (const [index, table] of tables.entries()) joined.push(await match(connection, { table, index, request }));
    await write(connection, { entities, tables, out: request.out });
    return { entities: entities.rows, tables: joined };
  });
}

type Step = { readonly table: FeatureTable; readonly index: number; readonly request: PointInTimeJoin };

/** Chooses a row for each entity by narrow keys first, and reads features of chosen rows alone. */
async function match(connection: DuckDBConnection, { table, index, request }: Step): Promise<JoinedTable> {
  const delayNs = BigInt(request.delayMs) * NS_PER_MS;
  const maxAgeNs = BigInt(request.maxAgeMs) * NS_PER_MS;
  await connection.run(`CREATE TEMP TABLE known_${index} AS ${knownSql(table, delayNs)}`);
  await connection.run(
    `CREATE TEMP TABLE chosen_${index} AS
     SELECT a.${POSITION}, k.row, k.end_ns, a.at::HUGEINT - k.end_ns > ${maxAgeNs} AS is_old
     FROM asked a ASOF JOIN known_${index} k ON a.entity = k.entity AND a.at >= k.known_ns`,
  );
  const columns = table.features.map((name) => `, f.${quoteName(name)} AS ${quoteName(table.columnOf(name))}`);
  await connection.run(
    `CREATE TEMP TABLE joined_${index} AS
     SELECT c.${POSITION} AS position_${index}, c.end_ns AS ${quoteName(table.columnOf('feature_time_ns'))}${columns.join('')}
     FROM ${rowsSql(table.path)} f JOIN chosen_${index} c ON f.${POSITION} = c.row WHERE NOT c.is_old`,
  );
  const counts = await connection.runAndReadAll(
    `SELECT count(*) FILTER (NOT is_old) AS matched, count(*) FILTER (is_old) AS old FROM chosen_${index}`,
  );
  const [row] = counts.getRowObjectsJS();
  return {
    path: table.path,
    features: table.features.length,
    matched: Number(row?.['matched']),
    tooOld: Number(row?.['old']),
  };
}

async function write(
  connection: DuckDBConnection,
  {
    entities,
    tables,
    out,
  }: { readonly entities: EntityTable; readonly tables: readonly FeatureTable[]; readonly out: string },
): Promise<void> {
  const joins = tables.map(
    (_, index) => ` LEFT JOIN joined_${index} ON joined_${index}.position_${index} = e.${POSITION}`,
  );
  const columns = tables.map((_, index) => `, joined_${index}.* EXCLUDE (position_${index})`);
  const query = `SELECT e.* EXCLUDE (${POSITION})${columns.join('')} FROM ${rowsSql(entities.path)} e${joins.join('')} ORDER BY e.${POSITION}`;
  await writeTableFile(out, async (unfinished) => {
    await connection.run(`COPY (${query}) TO ${quoteText(unfinished)} (FORMAT parquet, COMPRESSION zstd)`);
  });
}

function checkRequest({ features, maxAgeMs, delayMs }: PointInTimeJoin): void {
  if (features.length === 0 || features.length > JOIN_TABLES_MAX)
    throw new FleetError('REQUEST_INVALID', `name 1 to ${JOIN_TABLES_MAX} feature tables, not ${features.length}`);
  for (const ms of [maxAgeMs, delayMs])
    if (!Number.isSafeInteger(ms) || ms < 0)
      throw new FleetError('REQUEST_INVALID', `${ms} is no whole number of milliseconds`);
}

/** Two columns of one name in a table would leave open which of them a model reads. */
function checkNames(entities: EntityTable, tables: readonly FeatureTable[]): void {
  const seen = new Set(entities.columns.map((name) => name.toLowerCase()));
  for (const table of tables) {
    for (const name of ['feature_time_ns', ...table.features].map((each) => table.columnOf(each))) {
      if (seen.has(name.toLowerCase()))
        throw new FleetError(
          'FEATURE_TABLE_INVALID',
          `${table.path}: a column ${name} is there already: give the table a name, as NAME=FILE`,
        );
      seen.add(name.toLowerCase());
    }
  }
}

async function withJoinDatabase<Result>(
  { threads, signal }: { readonly threads: number; readonly signal: AbortSignal | undefined },
  work: (connection: DuckDBConnection) => Promise<Result>,
): Promise<Result> {
  const temporary = join(tmpdir(), 'fleetloop-features');
  const options = { memory_limit: MEMORY_LIMIT, threads: String(threads), temp_directory: temporary };
  const instance = await DuckDBInstance.create(':memory:', options);
  try {
    const connection = await instance.connect();
    const interrupt = (): void => connection.interrupt();
    signal?.addEventListener('abort', interrupt, { once: true });
    try {
      signal?.throwIfAborted();
      return await work(connection);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', interrupt);
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}
