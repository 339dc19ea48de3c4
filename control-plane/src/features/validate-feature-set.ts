/** Validation of a feature set: both engines over named recordings, value by value; the report is the evidence. */
import {
  canonicalJson,
  type Digest,
  type FeatureSet,
  FleetError,
  type JsonValue,
  parseDigest,
  type SourceMessage,
} from '@fleetloop/schemas';
import { createStreamingEvaluator, type FeatureVector } from '@fleetloop/schemas/features';
import { readRecording } from '@fleetloop/schemas/recording';
import type { BlobStore, Projection } from '../ports.ts';
import type { FactStores } from '../workflow/record-facts.ts';
import { computeFromMessages } from './feature-batch.ts';
import { checkStep, checkValidator } from './feature-lifecycle.ts';
import { idOf, readFeatureSetVersion, type RegisteredFeatureSet } from './feature-registry.ts';
import { type FeatureSetId, keyOf, nameOf, takeStep } from './feature-steps.ts';
import { compareEngines, joinParity, type ParityReport } from './parity.ts';

/** Recordings of one validation; a person names them. */
export const VALIDATION_RECORDINGS_MAX = 64;
/** Bytes of them together, so that the answer comes within the patience of whoever asked. */
export const VALIDATION_BYTES_MAX = 512 * 1_024 * 1_024;

export type ValidationRequest = FeatureSetId & {
  readonly recordings: readonly string[];
  readonly actor: string;
  readonly reason: string;
  /** Everybody who holds a token. */
  readonly actors: readonly string[];
  /** The day of today, YYYY-MM-DD: tolerances of single features that have expired do not hold any more. */
  readonly today: string;
};
export type ValidationStores = FactStores & { readonly blobs: Pick<BlobStore, 'open' | 'put'> };

/**
 * Has both engines compute the recordings, and records their agreement.
 * @throws FleetError FEATURE_SET_APPROVAL, FEATURE_SET_STATE, FEATURE_SET_REFUSED with the report's digest where they differ, FEATURE_LIMIT
 */
export async function validateFeatureSet(
  request: ValidationRequest,
  stores: ValidationStores,
  signal: AbortSignal,
): Promise<RegisteredFeatureSet> {
  const found = await readFeatureSetVersion(stores.projection, request);
  mayBeValidated(found, request);
  const recordings = [...new Set(request.recordings.map(parseDigest))].toSorted();
  await checkRecordings(stores.projection, recordings);
  const parity = await parityOf(found.featureSet, recordings, { request, stores, signal });
  const document = reportOf(found, parity, request.today);
  const report = await stores.blobs.put(Buffer.from(canonicalJson(document), 'utf8'));
  const joined = joinParity(parity.map(({ report: each }) => each));
  const windows = parity.reduce((sum, each) => sum + (each.report.features[0]?.windows ?? 0), 0);
  refuseUnlessEqual(found, joined, { report, windows });
  return takeStep(request, stores, (current) => {
    mayBeValidated(current, request);
    return {
      kind: 'feature_set.validated',
      key: keyOf(current),
      actor: request.actor,
      reason: request.reason,
      evidence: [report, current.digest, ...recordings],
      body: {
        ...nameOf(current),
        validator: current.featureSet.validator,
        recordings,
        windows,
        worstAbsolute: finite(Math.max(...joined.features.map((feature) => feature.worstAbsolute))),
        report,
      },
    };
  });
}

type RecordingParity = { readonly recording: Digest; readonly report: ParityReport };

function mayBeValidated(found: RegisteredFeatureSet, { actor, actors }: ValidationRequest): void {
  checkStep('validate', idOf(found.name, found.version), found.state);
  checkValidator({ featureSet: found.featureSet, proposer: found.proposer, actor, actors });
}

async function checkRecordings(projection: Projection, recordings: readonly Digest[]): Promise<void> {
  let sizeBytes = 0;
  for (const recording of recordings) {
    const [row] = await projection.query('SELECT size_bytes FROM recordings WHERE recording = $recording', {
      recording,
    });
    if (row === undefined) throw new FleetError('NOT_FOUND', `no recording ${recording} is in the catalogue`);
    sizeBytes += Number(row['size_bytes']);
  }
  if (sizeBytes <= VALIDATION_BYTES_MAX) return;
  throw new FleetError(
    'FEATURE_LIMIT',
    `the recordings have ${sizeBytes} bytes, at most ${VALIDATION_BYTES_MAX}: name fewer`,
  );
}

async function parityOf(
  featureSet: FeatureSet,
  recordings: readonly Digest[],
  {
    request,
    stores,
    signal,
  }: { readonly request: ValidationRequest; readonly stores: ValidationStores; readonly signal: AbortSignal },
): Promise<readonly RecordingParity[]> {
  const reports: RecordingParity[] = [];
  for (const recording of recordings) {
    const evaluator = createStreamingEvaluator(featureSet);
    const vectors: FeatureVector[] = [];
    async function* through(): AsyncGenerator<SourceMessage> {
      for await (const item of readRecording(await stores.blobs.open(recording))) {
        signal.throwIfAborted();
        if (item.kind !== 'message') continue;
        vectors.push(...evaluator.push(item.message));
        yield item.message;
      }
      vectors.push(...evaluator.endSession());
    }
    const batch = await computeFromMessages(featureSet, through(), { signal });
    reports.push({ recording, report: compareEngines(featureSet, vectors, batch, request.today) });
  }
  return reports;
}

function refuseUnlessEqual(
  { name, version }: RegisteredFeatureSet,
  joined: ParityReport,
  { report, windows }: { readonly report: Digest; readonly windows: number },
): void {
  if (joined.withinTolerance && windows > 0) return;
  const differing = joined.features.filter((feature) => !feature.withinTolerance).map((feature) => feature.feature);
  const why =
    windows === 0
      ? 'the recordings have no whole window of it'
      : differing.length > 0
        ? `the engines differ in ${differing.join(', ')}`
        : 'the engines give different windows';
  throw new FleetError(
    'FEATURE_SET_REFUSED',
    `${idOf(name, version)} is not validated: ${why}; the report is ${report}`,
    {
      details: { report },
    },
  );
}

function reportOf(found: RegisteredFeatureSet, parity: readonly RecordingParity[], date: string): JsonValue {
  return {
    kind: 'parity-report',
    featureSet: nameOf(found),
    date,
    recordings: parity.map(({ recording, report }) => ({
      recording,
      withinTolerance: report.withinTolerance,
      onlyStreaming: report.onlyStreaming.map(String),
      onlyBatch: report.onlyBatch.map(String),
      features: report.features.map(({ worst, worstAbsolute, worstRelative, tolerance, ...rest }) => ({
        ...rest,
        tolerance: { ...tolerance },
        worstAbsolute: finite(worstAbsolute),
        worstRelative: finite(worstRelative),
        worst:
          worst === undefined
            ? null
            : {
                windowStartNs: String(worst.windowStartNs),
                streaming: finite(worst.streaming),
                batch: finite(worst.batch),
              },
      })),
    })),
  };
}

/** JSON has no other numbers. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
