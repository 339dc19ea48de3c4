/** Why: what computing features of many recordings touches: the catalogue, recordings, tables in the blob store, one fact. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  canonicalJson,
  type Digest,
  type FeatureSet,
  FleetError,
  type JsonValue,
  parseDigest,
} from '@fleetloop/schemas';
import type { FeatureActivities, FeaturesOutcome, FeaturesPart, FeaturesPlan } from '@fleetloop/workflows';
import { listRecordings } from '../catalogue/recording-catalogue.ts';
import type { FeatureRow } from '../ports.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { ProjectionAsOf } from '../projection/as-of.ts';
import { quoteText, withDuckDb } from '../training/parquet.ts';
import { groupByBytes } from '../workflow/group-by-bytes.ts';
import { recordFacts } from '../workflow/record-facts.ts';
import { findRegistered } from './feature-registry.ts';
import { nameOf } from './feature-steps.ts';
import { type SessionFeatureRow, writeFeatureParquet } from './feature-parquet.ts';
import { storeWritten } from './feature-table-bytes.ts';

/** Recordings of one computation. */
export const COMPUTED_RECORDINGS_MAX = 1_000_000;
/** Bytes of recordings that a part is filled up to: seconds of work, beside which its start does not count, and little to try again. */
export const PART_BYTES = 16 * 1_024 * 1_024;
/** Recordings of one part, however small they are. */
const RECORDINGS_PER_PART_MAX = 500;
/** Parts of a catalogue too large for that: they are made larger, since each is listed in the history of the workflow. */
const PARTS_BY_BYTES_MAX = 2_000;
const PAGE = 1_000;
/** Recordings without inputs that the fact names. */
const SKIPPED_NAMED_MAX = 64;

export type ComputationContext = Pick<ControlPlane, 'ledger' | 'projection' | 'blobs' | 'features' | 'config'>;
type Chosen = { readonly recording: string; readonly session: string; readonly sizeBytes: number };

/** An activity that can be told to stop. */
export type Live<Activity extends (input: never) => unknown> = (
  input: Parameters<Activity>[0],
  signal: AbortSignal,
) => ReturnType<Activity>;

export const planFeatures =
  (context: ComputationContext): Live<FeatureActivities['planFeatures']> =>
  async ({ featureSet, where, partBytes = PART_BYTES }, signal) => {
    const set = await findRegistered(context.projection, featureSet);
    const asOf = context.projection.appliedSequence();
    const chosen = await chooseRecordings(context, { where, asOf }, signal);
    const total = chosen.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const bytesMax = Math.max(partBytes, Math.ceil(total / PARTS_BY_BYTES_MAX));
    const parts: Digest[] = [];
    for (const group of groupByBytes(chosen, { bytesMax, itemsMax: RECORDINGS_PER_PART_MAX }))
      parts.push(await store(context, group as unknown as JsonValue));
    return { featureSet: set.digest, parts, recordings: chosen.length, asOf } satisfies FeaturesPlan;
  };

export const computeFeaturesPart =
  (context: ComputationContext): Live<FeatureActivities['computeFeaturesPart']> =>
  async ({ featureSet: digest, part }, signal) => {
    const { featureSet } = await findRegistered(context.projection, digest);
    const chosen = (await read(context, part)) as readonly Chosen[];
    const { computed, skipped, lateSamples } = await computeAll(context, { featureSet, chosen }, signal);
    const rows = chosen.flatMap(({ recording, session }) =>
      (computed.get(recording) ?? []).map((row): SessionFeatureRow => ({ ...row, session })),
    );
    const table = await storeWritten(context, async (path) => writeFeatureParquet(path, featureSet, rows));
    const left = skipped.length === 0 ? null : await store(context, skipped as JsonValue);
    const counts = { rows: rows.length, skippedCount: skipped.length, lateSamples };
    return { table, skipped: left, ...counts } satisfies FeaturesPart;
  };

export const joinFeatures =
  (context: ComputationContext): Live<FeatureActivities['joinFeatures']> =>
  async ({ computationId, plan, where, parts, actor }, signal) => {
    const [known] = await context.projection.facts('features.computed', { key: computationId });
    if (known !== undefined) return outcomeOf(known.body);
    const set = await findRegistered(context.projection, plan.featureSet);
    const paths: string[] = [];
    for (const { table } of parts) paths.push(await context.blobs.pathOf(parseDigest(table)));
    let rows = 0;
    const table = await storeWritten(context, async (path) => {
      signal.throwIfAborted();
      rows = await writeJoined(paths, path);
    });
    const sum = (count: (part: FeaturesPart) => number): number => parts.reduce((so, part) => so + count(part), 0);
    const body = {
      computationId,
      featureSet: nameOf(set),
      where,
      asOf: plan.asOf,
      recordings: plan.recordings,
      skipped: await firstSkipped(context, parts),
      skippedCount: sum(({ skippedCount }) => skippedCount),
      lateSamples: sum(({ lateSamples }) => lateSamples),
      rows,
      table,
    };
    await recordFacts(context, [
      { kind: 'features.computed', key: computationId, actor, evidence: [set.digest, table], body },
    ]);
    return outcomeOf(body);
  };

function outcomeOf({ computationId, table, ...counts }: FeaturesOutcome): FeaturesOutcome {
  const { rows, recordings, skippedCount, lateSamples } = counts;
  return { computationId, table, rows, recordings, skippedCount, lateSamples };
}

async function firstSkipped(context: ComputationContext, parts: readonly FeaturesPart[]): Promise<string[]> {
  const named: string[] = [];
  for (const { skipped } of parts) {
    if (named.length >= SKIPPED_NAMED_MAX) break;
    if (skipped !== null) named.push(...((await read(context, skipped)) as readonly string[]));
  }
  return named.slice(0, SKIPPED_NAMED_MAX);
}

async function store({ blobs }: ComputationContext, document: JsonValue): Promise<Digest> {
  return blobs.put(Buffer.from(canonicalJson(document), 'utf8'));
}

async function read({ blobs }: ComputationContext, digest: string): Promise<unknown> {
  return JSON.parse(Buffer.from(await blobs.get(parseDigest(digest))).toString('utf8'));
}

async function chooseRecordings(
  context: ComputationContext,
  { where, asOf }: { readonly where: string | null; readonly asOf: number },
  signal: AbortSignal,
): Promise<readonly Chosen[]> {
  const view = new ProjectionAsOf(context.projection, asOf);
  const chosen: Chosen[] = [];
  for (let after: string | null = '0'; after !== null; ) {
    signal.throwIfAborted();
    const filter = where === null ? {} : { where };
    const page = await listRecordings(view, { ...filter, limit: PAGE, afterSequence: Number(after) });
    chosen.push(...page.recordings.map(({ recording, session, sizeBytes }) => ({ recording, session, sizeBytes })));
    if (chosen.length > COMPUTED_RECORDINGS_MAX)
      throw new FleetError('FEATURE_LIMIT', `more than ${COMPUTED_RECORDINGS_MAX} recordings match: narrow the filter`);
    after = page.next;
  }
  if (chosen.length > 0) return chosen;
  throw new FleetError(
    'DATASET_EMPTY',
    `no recording matches ${where ?? 'the empty catalogue'}: there is nothing to compute`,
  );
}

type Computed = {
  readonly computed: ReadonlyMap<string, readonly FeatureRow[]>;
  readonly skipped: readonly string[];
  readonly lateSamples: number;
};

/** All at once; where one of them lacks an input, one by one, so that only that one is left out. */
async function computeAll(
  context: ComputationContext,
  { featureSet, chosen }: { readonly featureSet: FeatureSet; readonly chosen: readonly Chosen[] },
  signal: AbortSignal,
): Promise<Computed> {
  // By recording, because those of an attempt that failed are computed anew.
  const late = new Map<string, number>();
  const onLateSamples = (recording: string, count: number): void => void late.set(recording, count);
  const lateSamples = (): number => [...late.values()].reduce((sum, count) => sum + count, 0);
  const options = { signal, onLateSamples };
  const digests = chosen.map(({ recording }) => parseDigest(recording));
  try {
    const all = await context.features.computeMany(digests, featureSet, options);
    return { computed: all, skipped: [], lateSamples: lateSamples() };
  } catch (error) {
    if (FleetError.from(error).code !== 'FEATURE_INPUT_MISSING') throw error;
  }
  const computed = new Map<string, readonly FeatureRow[]>();
  const skipped: string[] = [];
  for (const digest of digests) {
    try {
      computed.set(digest, await context.features.compute(digest, featureSet, options));
    } catch (error) {
      if (FleetError.from(error).code !== 'FEATURE_INPUT_MISSING') throw error;
      skipped.push(digest);
    }
  }
  return { computed, skipped, lateSamples: lateSamples() };
}

/**
 * Parts come in the order of the plan, whoever computed them and when; recordings of one session that overlap give the same windows
 * twice, of which the first counts.
 */
async function writeJoined(paths: readonly string[], path: string): Promise<number> {
  return withDuckDb(async (connection) => {
    await connection.run(`SET temp_directory = ${quoteText(join(tmpdir(), 'fleetloop-features'))}`);
    const parts = paths.map(
      (each, part) => `SELECT ${part} AS part, * FROM read_parquet(${quoteText(each)}, file_row_number = true)`,
    );
    const window = 'session, window_start_ns, window_end_ns';
    const query = `SELECT * EXCLUDE (part, file_row_number) FROM (${parts.join(' UNION ALL ')})
      QUALIFY row_number() OVER (PARTITION BY ${window} ORDER BY part, file_row_number) = 1 ORDER BY ${window}`;
    await connection.run(`COPY (${query}) TO ${quoteText(path)} (FORMAT parquet, COMPRESSION zstd)`);
    const counted = await connection.runAndReadAll(`SELECT count(*) AS rows FROM read_parquet(${quoteText(path)})`);
    return Number(counted.getRowObjectsJS()[0]?.['rows']);
  });
}
