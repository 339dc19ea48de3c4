/** `feature skew` on files: a table of reported vectors held against recordings on this machine, without any server. */
import { type FeatureSet, FleetError, type JsonValue, type SourceMessage } from '@fleetloop/schemas';
import { digestOfDocument } from '@fleetloop/schemas/crypto';
import type { LoadedMapping, SourceFiles } from '@fleetloop/schemas/source';
import type { FeatureRow, Row } from '../ports.ts';
import { quoteName, quoteText, withDuckDb } from '../training/parquet.ts';
import { computeFromMessages } from './feature-batch.ts';
import { openFeatureSource } from './feature-source.ts';
import { Coverage, type CoveringRecording, windowKey } from './skew-coverage.ts';
import { reportSkew, type SkewReport } from './skew-report.ts';
import { type LoggedVector, SkewCounter, type SkewWindow } from './skew-tally.ts';

/** Vectors of one table that are read. */
export const VECTORS_MAX = 1_000_000;
const TABLE_COLUMNS = ['session', 'window_start_ns', 'window_end_ns'];
const INFERENCE_COLUMNS = ['vehicle_id', 'hardware_revision', 'variant', ...TABLE_COLUMNS, 'features'];

export type SkewFiles = {
  readonly featureSet: FeatureSet;
  /** Parquet: inferences as the control plane keeps them, or features as `feature compute` writes them. */
  readonly vectors: string;
  readonly recordings: readonly string[];
  readonly sourceFiles: SourceFiles;
  /** Needed for sources that do not describe themselves. */
  readonly mapping: LoadedMapping | undefined;
  readonly date: string;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
};

/** What one recording gives, and the time that it covers. */
type Recomputed = { readonly span: CoveringRecording; readonly rows: ReadonlyMap<string, FeatureRow> };

/** @throws FleetError FEATURE_TABLE_INVALID, FEATURE_LIMIT, and what computing throws */
export async function skewOfFiles(options: SkewFiles): Promise<SkewReport> {
  const { featureSet, date } = options;
  const vectors = await readVectors(options.vectors, featureSet);
  const recomputed = new Map<string, Recomputed>();
  for (const file of options.recordings) {
    const one = await recompute(file, options);
    options.onProgress(`${file}: session ${one.span.session}, ${one.rows.size} windows`);
    recomputed.set(file, one);
  }
  const coverage = new Coverage(
    featureSet,
    [...recomputed.values()].map(({ span }) => span),
  );
  const counter = new SkewCounter(featureSet, date);
  for (const vector of vectors) {
    const file = coverage.find({ ...vector, vehicle: '' })?.recording;
    counter.add(vector, outcomeOf(featureSet, vector, file === undefined ? undefined : recomputed.get(file)));
  }
  return reportSkew(featureSet, digestOfDocument(featureSet as JsonValue), { tally: counter.tally(), date });
}

/** Of files it is the session that says which recording belongs to a vector. */
async function recompute(file: string, { featureSet, sourceFiles, mapping, signal }: SkewFiles): Promise<Recomputed> {
  const source = await openFeatureSource(file, { files: sourceFiles, mapping, signal });
  let startNs: bigint | undefined;
  let endNs = 0n;
  async function* through(): AsyncGenerator<SourceMessage> {
    for await (const message of source.messages()) {
      if (startNs === undefined || message.logTimeNs < startNs) startNs = message.logTimeNs;
      if (message.logTimeNs > endNs) endNs = message.logTimeNs;
      yield message;
    }
  }
  const rows = await computeFromMessages(featureSet, through(), { signal });
  const span = {
    recording: file,
    vehicle: '',
    session: source.session,
    firmware: '',
    startNs: startNs ?? 0n,
    endNs,
  };
  return { span, rows: new Map(rows.map((row) => [windowKey(row), row])) };
}

function outcomeOf(featureSet: FeatureSet, vector: LoggedVector, recomputed: Recomputed | undefined): SkewWindow {
  const source = 'recording';
  if (vector.values.length !== featureSet.features.length) return { source, kind: 'malformed' };
  if (recomputed === undefined) return { source, kind: 'uncovered' };
  const row = recomputed.rows.get(windowKey(vector));
  if (row === undefined) return { source, kind: 'unmatched' };
  return { source, kind: 'compared', evidence: recomputed.span.recording, recomputed: row.values };
}

/** Both forms of a table of vectors: one list for each window, or a column for each feature as `feature compute` writes it. */
async function readVectors(path: string, featureSet: FeatureSet): Promise<readonly LoggedVector[]> {
  return withDuckDb(async (connection) => {
    const from = `FROM read_parquet(${quoteText(path)})`;
    const read = async (columns: readonly string[]): Promise<readonly Row[]> =>
      (
        await connection.runAndReadAll(`SELECT ${columns.join(', ')} ${from} LIMIT ${VECTORS_MAX + 1}`)
      ).getRowObjectsJS();
    const list = `[${featureSet.features.map(({ name }) => quoteName(name)).join(', ')}] AS features`;
    const rows = await read(INFERENCE_COLUMNS).catch(async () =>
      read([...TABLE_COLUMNS, list]).catch((cause: unknown) => {
        throw new FleetError(
          'FEATURE_TABLE_INVALID',
          `${path} has neither ${INFERENCE_COLUMNS.join(', ')}, nor ${TABLE_COLUMNS.join(', ')} and a column for each feature of ${featureSet.name}`,
          { cause },
        );
      }),
    );
    if (rows.length > VECTORS_MAX)
      throw new FleetError('FEATURE_LIMIT', `${path} has more than ${VECTORS_MAX} vectors: cut it`);
    return rows.map(toVector);
  });
}

function toVector(row: Row): LoggedVector {
  const text = (column: string): string => (typeof row[column] === 'string' ? row[column] : 'unknown');
  const values: readonly unknown[] = Array.isArray(row['features']) ? row['features'] : [];
  return {
    vehicle: text('vehicle_id'),
    hardwareRevision: text('hardware_revision'),
    variant: text('variant'),
    session: text('session'),
    windowStartNs: BigInt(row['window_start_ns'] as bigint),
    windowEndNs: BigInt(row['window_end_ns'] as bigint),
    values: values.map((value) => (value === null ? Number.NaN : Number(value))),
  };
}
