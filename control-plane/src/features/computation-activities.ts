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
import { recordFacts } from '../workflow/record-facts.ts';
import { findRegistered } from './feature-registry.ts';
import { nameOf } from './feature-steps.ts';
import { type SessionFeatureRow, writeFeatureParquet } from './feature-parquet.ts';
import { storeWritten } from './feature-table-bytes.ts';

/** Recordings of one computation. */
export const COMPUTED_RECORDINGS_MAX = 1_000_000;
/** Recordings of one part, so that a part is seconds to minutes of work. */
const RECORDINGS_PER_PART_MAX = 200;
/** A part for each worker of a large fleet, and parts small enough to be tried again. */
const PARTS_AIMED_AT = 64;
const PAGE = 1_000;
/** Recordings without inputs that a part and the fact name. */
const SKIPPED_NAMED_MAX = 64;

export type ComputationContext = Pick<ControlPlane, 'ledger' | 'projection' | 'blobs' | 'features' | 'config'>;
type Chosen = { readonly recording: string; readonly session: string };

/** An activity that can be told to stop. */
export type Live<Activity extends (input: never) => unknown> = (
  input: Parameters<Activity>[0],
  signal: AbortSignal,
) => ReturnType<Activity>;

export const planFeatures =
  (context: ComputationContext): Live<FeatureActivities['planFeatures']> =>
  async ({ featureSet, where }, signal) => {
    const set = await findRegistered(context.projection, featureSet);
    const asOf = context.projection.appliedSequence();
    const chosen = await chooseRecordings(context, { where, asOf }, signal);
    const perPart = Math.min(RECORDINGS_PER_PART_MAX, Math.ceil(chosen.length / PARTS_AIMED_AT));
    const parts: Digest[] = [];
    for (let from = 0; from < chosen.length; from += perPart) {
      const text = canonicalJson(chosen.slice(from, from + perPart) as unknown as JsonValue);
      parts.push(await context.blobs.put(Buffer.from(text, 'utf8')));
    }
    return { featureSet: set.digest, parts, recordings: chosen.length, asOf } satisfies FeaturesPlan;
  };

export const computeFeaturesPart =
  (context: ComputationContext): Live<FeatureActivities['computeFeaturesPart']> =>
  async ({ featureSet: digest, part }, signal) => {
    const { featureSet } = await findRegistered(context.projection, digest);
    const chosen = JSON.parse(
      Buffer.from(await context.blobs.get(parseDigest(part))).toString('utf8'),
    ) as readonly Chosen[];
    const { computed, skipped } = await computeAll(context, { featureSet, chosen }, signal);
    const rows = chosen.flatMap(({ recording, session }) =>
      (computed.get(recording) ?? []).map((row): SessionFeatureRow => ({ ...row, session })),
    );
    const table = await storeWritten(context, async (path) => writeFeatureParquet(path, featureSet, rows));
    const named = skipped.slice(0, SKIPPED_NAMED_MAX);
    return { table, rows: rows.length, skipped: named, skippedCount: skipped.length } satisfies FeaturesPart;
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
    const skipped = parts.flatMap((part) => part.skipped);
    const body = {
      computationId,
      featureSet: nameOf(set),
      where,
      asOf: plan.asOf,
      recordings: plan.recordings,
      skipped: skipped.slice(0, SKIPPED_NAMED_MAX),
      skippedCount: parts.reduce((sum, part) => sum + part.skippedCount, 0),
      rows,
      table,
    };
    await recordFacts(context, [
      { kind: 'features.computed', key: computationId, actor, evidence: [set.digest, table], body },
    ]);
    return outcomeOf(body);
  };

function outcomeOf({ computationId, table, rows, recordings, skippedCount }: FeaturesOutcome): FeaturesOutcome {
  return { computationId, table, rows, recordings, skippedCount };
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
    chosen.push(...page.recordings.map(({ recording, session }) => ({ recording, session })));
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

/** All at once; where one of them lacks an input, one by one, so that only that one is left out. */
async function computeAll(
  context: ComputationContext,
  { featureSet, chosen }: { readonly featureSet: FeatureSet; readonly chosen: readonly Chosen[] },
  signal: AbortSignal,
): Promise<{ readonly computed: ReadonlyMap<string, readonly FeatureRow[]>; readonly skipped: readonly string[] }> {
  const digests = chosen.map(({ recording }) => parseDigest(recording));
  try {
    return { computed: await context.features.computeMany(digests, featureSet, { signal }), skipped: [] };
  } catch (error) {
    if (FleetError.from(error).code !== 'FEATURE_INPUT_MISSING') throw error;
  }
  const computed = new Map<string, readonly FeatureRow[]>();
  const skipped: string[] = [];
  for (const digest of digests) {
    try {
      computed.set(digest, await context.features.compute(digest, featureSet, { signal }));
    } catch (error) {
      if (FleetError.from(error).code !== 'FEATURE_INPUT_MISSING') throw error;
      skipped.push(digest);
    }
  }
  return { computed, skipped };
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
