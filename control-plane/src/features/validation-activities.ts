/** Why: what validating a feature set touches: the catalogue, recordings, comparisons and the report in the blob store, one fact. */
import { canonicalJson, type Digest, FleetError, type JsonValue, parseDigest } from '@fleetloop/schemas';
import type { ValidationActivities, ValidationOutcome, ValidationPlan } from '@fleetloop/workflows';
import { findRecording } from '../catalogue/recording-catalogue.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { groupByBytes } from '../workflow/group-by-bytes.ts';
import { type Live, PART_BYTES } from './computation-activities.ts';
import {
  type ComparisonSum,
  compareRecording,
  parityReport,
  type RecordingComparison,
  sumComparisons,
} from './engine-comparison.ts';
import { checkStep } from './feature-lifecycle.ts';
import { findRegistered, idOf, type RegisteredFeatureSet } from './feature-registry.ts';
import { keyOf, nameOf, takeStep } from './feature-steps.ts';
import { VALIDATION_BYTES_MAX, VALIDATION_RECORDINGS_MAX } from './validate-feature-set.ts';

export type ValidationContext = Pick<ControlPlane, 'ledger' | 'projection' | 'blobs'>;
type JudgeInput = Parameters<ValidationActivities['judgeValidation']>[0];
type Sized = { readonly recording: string; readonly sizeBytes: number };

export const planValidation =
  (context: ValidationContext): Live<ValidationActivities['planValidation']> =>
  async ({ featureSet, recordings, partBytes = PART_BYTES }, signal) => {
    const set = await findRegistered(context.projection, featureSet);
    checkStep('validate', idOf(set.name, set.version), set.state);
    signal.throwIfAborted();
    const sized = await sizesOf(context, recordings);
    const parts: Digest[] = [];
    for (const group of groupByBytes(sized, { bytesMax: partBytes, itemsMax: VALIDATION_RECORDINGS_MAX }))
      parts.push(
        await store(
          context,
          group.map(({ recording }) => recording),
        ),
      );
    const date = new Date().toISOString().slice(0, 'YYYY-MM-DD'.length);
    return { featureSet: set.digest, parts, recordings: sized.length, date } satisfies ValidationPlan;
  };

export const compareEnginesPart =
  (context: ValidationContext): Live<ValidationActivities['compareEngines']> =>
  async ({ featureSet: digest, part, date }, signal) => {
    const { featureSet } = await findRegistered(context.projection, digest);
    const comparisons: RecordingComparison[] = [];
    for (const recording of (await read(context, part)) as readonly string[]) {
      const chunks = await context.blobs.open(parseDigest(recording));
      comparisons.push(await compareRecording(featureSet, { recording, chunks }, { date, signal }));
    }
    const { windows } = sumComparisons(comparisons);
    return { comparison: await store(context, comparisons as unknown as JsonValue), windows };
  };

export const judgeValidation =
  (context: ValidationContext): Live<ValidationActivities['judgeValidation']> =>
  async (input, signal) => {
    const { validationId, plan } = input;
    const set = await findRegistered(context.projection, plan.featureSet);
    const comparisons: RecordingComparison[] = [];
    for (const digest of input.comparisons) {
      signal.throwIfAborted();
      comparisons.push(...((await read(context, digest)) as readonly RecordingComparison[]));
    }
    const sum = sumComparisons(comparisons);
    const report = await store(context, parityReport(nameOf(set), plan.date, comparisons));
    refuseUnlessEqual(set, sum, report);
    const recordings = comparisons.map(({ recording }) => recording).toSorted();
    await recordOnce(context, input, { report, recordings, sum });
    const counts = { recordings: recordings.length, windows: sum.windows };
    return { validationId, featureSet: nameOf(set), report, ...counts } satisfies ValidationOutcome;
  };

/** An attempt of before may have written the fact, and the set may have been activated since: that is a success. */
async function recordOnce(
  context: ValidationContext,
  { validationId, plan, actor, reason }: JudgeInput,
  found: { readonly report: Digest; readonly recordings: readonly string[]; readonly sum: ComparisonSum },
): Promise<void> {
  const { report, recordings, sum } = found;
  const { name, version } = await findRegistered(context.projection, plan.featureSet);
  await takeStep({ name, version }, context, async (current) => {
    const key = keyOf(current);
    const known = await context.projection.facts('feature_set.validated', { key, every: true });
    if (known.some(({ body }) => body.validationId === validationId)) return undefined;
    checkStep('validate', idOf(name, version), current.state);
    return {
      kind: 'feature_set.validated',
      key,
      actor,
      reason,
      evidence: [report, current.digest, ...recordings],
      body: {
        ...nameOf(current),
        validationId,
        validator: current.featureSet.validator,
        recordings: [...recordings],
        windows: sum.windows,
        worstAbsolute: sum.worstAbsolute,
        report,
      },
    };
  });
}

/** @throws FleetError NOT_FOUND, FEATURE_LIMIT */
async function sizesOf({ projection }: ValidationContext, recordings: readonly string[]): Promise<readonly Sized[]> {
  const sized: Sized[] = [];
  for (const recording of [...new Set(recordings.map(parseDigest))].toSorted()) {
    const found = await findRecording(projection, recording);
    if (found === undefined) throw new FleetError('NOT_FOUND', `no recording ${recording} is in the catalogue`);
    sized.push({ recording, sizeBytes: found.sizeBytes });
  }
  const sizeBytes = sized.reduce((sum, each) => sum + each.sizeBytes, 0);
  if (sizeBytes <= VALIDATION_BYTES_MAX) return sized;
  throw new FleetError(
    'FEATURE_LIMIT',
    `the recordings have ${sizeBytes} bytes, at most ${VALIDATION_BYTES_MAX}: name fewer`,
  );
}

function refuseUnlessEqual({ name, version }: RegisteredFeatureSet, sum: ComparisonSum, report: Digest): void {
  if (sum.withinTolerance && sum.windows > 0) return;
  const why =
    sum.windows === 0
      ? 'the recordings have no whole window of it'
      : sum.differing.length > 0
        ? `the engines differ in ${sum.differing.join(', ')}`
        : 'the engines give different windows';
  throw new FleetError(
    'FEATURE_SET_REFUSED',
    `${idOf(name, version)} is not validated: ${why}; the report is ${report}`,
    { details: { report } },
  );
}

async function store({ blobs }: ValidationContext, document: JsonValue): Promise<Digest> {
  return blobs.put(Buffer.from(canonicalJson(document), 'utf8'));
}

async function read({ blobs }: ValidationContext, digest: string): Promise<unknown> {
  return JSON.parse(Buffer.from(await blobs.get(parseDigest(digest))).toString('utf8'));
}
