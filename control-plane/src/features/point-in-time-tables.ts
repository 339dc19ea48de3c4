/** Why: tables come from anywhere; their columns and types are checked once, before anything is joined. */
import { FleetError } from '@fleetloop/schemas';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { Row } from '../ports.ts';
import { quoteName } from '../training/parquet.ts';
import { POSITION, rowsSql } from './point-in-time-sql.ts';

/** Columns of a feature table that are no features. */
const END_COLUMN = 'window_end_ns';
const START_COLUMN = 'window_start_ns';
/** When the row could be read, if the table says so. */
const AVAILABLE_COLUMN = 'available_ns';

/** `entity` and `time` are SQL expressions over its rows. */
export type EntityTable = {
  readonly path: string;
  readonly rows: number;
  readonly columns: readonly string[];
  readonly entityColumn: string;
  readonly entityType: string;
  readonly entity: string;
  readonly time: string;
};

/** `entity`, `endNs` and `availableNs` are SQL expressions over its rows. */
export type FeatureTable = {
  readonly path: string;
  readonly entity: string;
  readonly endNs: string;
  readonly availableNs: string | undefined;
  readonly features: readonly string[];
  /** What a column is called in the joined table. */
  readonly columnOf: (name: string) => string;
};

/** @throws FleetError FEATURE_TABLE_INVALID */
export async function readEntityTable(
  connection: DuckDBConnection,
  asked: { readonly entities: string; readonly entityColumn: string; readonly timeColumn: string },
): Promise<EntityTable> {
  const { entities: path, entityColumn, timeColumn } = asked;
  const types = await columnTypes(connection, path);
  const entityType = typeOf(types, path, entityColumn);
  const counted = await connection.runAndReadAll(`SELECT count(*) AS rows FROM ${rowsSql(path)}`);
  return {
    path,
    rows: Number(counted.getRowObjectsJS()[0]?.['rows']),
    columns: [...types.keys()],
    entityColumn,
    entityType,
    entity: `${quoteName(entityColumn)}::VARCHAR`,
    time: nanoseconds(types, path, timeColumn),
  };
}

/** @throws FleetError FEATURE_TABLE_INVALID */
export async function readFeatureTable(
  connection: DuckDBConnection,
  { path, name }: { readonly path: string; readonly name?: string | undefined },
  { entityColumn, entityType }: EntityTable,
): Promise<FeatureTable> {
  const types = await columnTypes(connection, path);
  const type = typeOf(types, path, entityColumn);
  if (type !== entityType)
    throw invalid(path, `${entityColumn} is ${type}, and ${entityType} in the table of entities: give both one type`);
  const features = [...types.keys()].filter(
    (column) => ![entityColumn, START_COLUMN, END_COLUMN, AVAILABLE_COLUMN].includes(column),
  );
  if (features.length === 0) throw invalid(path, 'it has no column of features');
  return {
    path,
    entity: `${quoteName(entityColumn)}::VARCHAR`,
    endNs: nanoseconds(types, path, END_COLUMN),
    availableNs: types.has(AVAILABLE_COLUMN) ? nanoseconds(types, path, AVAILABLE_COLUMN) : undefined,
    features,
    columnOf: (column) => (name === undefined ? column : `${name}__${column}`),
  };
}

async function columnTypes(connection: DuckDBConnection, path: string): Promise<ReadonlyMap<string, string>> {
  const described = await connection
    .runAndReadAll(`DESCRIBE SELECT * EXCLUDE (${POSITION}) FROM ${rowsSql(path)}`)
    .catch((cause: unknown) => {
      throw new FleetError('FEATURE_TABLE_INVALID', `${path} cannot be read as Parquet`, { cause });
    });
  const rows: readonly Row[] = described.getRowObjectsJS();
  return new Map(rows.map((row) => [String(row['column_name']), String(row['column_type'])]));
}

function typeOf(types: ReadonlyMap<string, string>, path: string, column: string): string {
  const type = types.get(column);
  if (type === undefined)
    throw invalid(path, `it has no column ${column}: there is ${[...types.keys()].slice(0, 8).join(', ')}`);
  return type;
}

/** Whole numbers are ns since 1970 already. A timestamp without zone is UTC. */
function nanoseconds(types: ReadonlyMap<string, string>, path: string, column: string): string {
  const type = typeOf(types, path, column);
  if (type === 'BIGINT') return quoteName(column);
  if (type.startsWith('TIMESTAMP')) return `epoch_ns(${quoteName(column)})`;
  throw invalid(path, `${column} is ${type}: it must be ns since 1970 (BIGINT) or a timestamp`);
}

function invalid(path: string, message: string): FleetError {
  return new FleetError('FEATURE_TABLE_INVALID', `${path}: ${message}`);
}
