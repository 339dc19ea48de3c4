/** Why: drift is proven on the features of real drives, as a control plane would compute them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { computeFromMessages } from '@fleetloop/control-plane';
import { loadMapping, openSource } from '@fleetloop/edge-agent';
import { type FeatureSet, parseFeatureSet, type SourceMessage } from '@fleetloop/schemas';
import { blackboxDrives, borealtcRuns, type RecordedDrive } from '@fleetloop/sim';
import { DuckDBInstance } from '@duckdb/node-api';

const FEATURE_SETS = join(import.meta.dirname, '../../sim/feature-sets');

export type FeatureTableRow = {
  readonly session: string;
  readonly ground: string;
  readonly windowStartNs: bigint;
  readonly values: readonly number[];
};
export type FeatureTable = { readonly names: readonly string[]; readonly rows: readonly FeatureTableRow[] };

/** Windows of all borealtc runs, with the ground that each was driven on. */
export async function borealtcTable(name: string): Promise<FeatureTable> {
  const featureSet = parseFeatureSet(JSON.parse(await readFile(join(FEATURE_SETS, `${name}.json`), 'utf8')));
  return tableOf(featureSet, borealtcRuns());
}

/** Windows of all blackbox drives: acceleration of telematics units in cars. */
export async function blackboxTable(featureSet: FeatureSet): Promise<FeatureTable> {
  return tableOf(featureSet, blackboxDrives());
}

async function tableOf(featureSet: FeatureSet, drives: readonly RecordedDrive[]): Promise<FeatureTable> {
  const rows: FeatureTableRow[] = [];
  for (const drive of drives) {
    const messages = await messagesOf(drive);
    const ground = drive.session.split('/').find((part) => /^[A-Z_]+$/.test(part)) ?? '';
    for (const { windowStartNs, values } of await computeFromMessages(featureSet, messages)) {
      rows.push({ session: drive.session, ground, windowStartNs, values });
    }
  }
  return { names: featureSet.features.map((feature) => feature.name), rows };
}

async function messagesOf(drive: RecordedDrive): Promise<readonly SourceMessage[]> {
  const source = await openSource({ ...(await loadMapping(drive.mappingPath)), sourcePath: drive.sourcePath });
  const messages: SourceMessage[] = [];
  for await (const batch of source.batches()) messages.push(...batch);
  return messages;
}

/** Writes rows as Parquet, sorted; the same rows give the same file. */
export async function writeTable(path: string, table: FeatureTable): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    const columns = table.names.map((name) => `"${name}" DOUBLE`);
    await connection.run(
      `CREATE TABLE t (session VARCHAR, ground VARCHAR, window_start_ns BIGINT, ${columns.join(', ')})`,
    );
    const appender = await connection.createAppender('t');
    for (const { session, ground, windowStartNs, values } of table.rows) {
      appender.appendVarchar(session);
      appender.appendVarchar(ground);
      appender.appendBigInt(windowStartNs);
      for (const value of values) appender.appendDouble(value);
      appender.endRow();
    }
    appender.closeSync();
    await connection.run(`COPY (FROM t ORDER BY session, window_start_ns) TO '${path}' (FORMAT parquet)`);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
