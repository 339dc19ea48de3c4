/** Why: what evaluating skew touches: telemetry, the catalogue, recordings, samples, tallies and reports in the blob store, one fact. */
import { canonicalJson, type Digest, type FactBody, FleetError, type JsonValue, parseDigest } from '@fleetloop/schemas';
import type { FeatureActivities, SkewOutcome, SkewPlan } from '@fleetloop/workflows';
import type { FeatureRow, InferenceWindow } from '../ports.ts';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { recordFacts } from '../workflow/record-facts.ts';
import type { Live } from './computation-activities.ts';
import { findRegistered, type RegisteredFeatureSet } from './feature-registry.ts';
import { nameOf } from './feature-steps.ts';
import { Coverage, type CoveringRecording, windowKey } from './skew-coverage.ts';
import { reportSkew, type SkewReport } from './skew-report.ts';
import {
  countSamples,
  partsOfSamples,
  type SamplesPart,
  SKEW_SAMPLE_BYTES_MAX,
  SKEW_SAMPLES_MAX,
} from './skew-samples.ts';
import { addTallies, type LoggedVector, SkewCounter, type SkewTally } from './skew-tally.ts';

/** Reported windows of one evaluation, the newest ones. */
export const SKEW_WINDOWS_MAX = 200_000;
/** Windows of one part; a part names each recording that covers one of them. */
const WINDOWS_PER_PART = 4_000;
const NAMED_MAX = 64;

export type SkewContext = Pick<
  ControlPlane,
  'ledger' | 'projection' | 'blobs' | 'features' | 'telemetry' | 'sampledVectors'
>;
/** What one part holds: windows with the recordings that cover them, or samples. */
type SkewPart = { readonly covered: readonly CoveredWindows[] } | { readonly samples: SamplesPart };
/** One recording with the reported windows that it covers; numbers of ns as text, missing values as null. */
type CoveredWindows = {
  readonly recording: string;
  readonly firmware: string;
  readonly windows: readonly {
    readonly vehicle: string;
    readonly session: string;
    readonly hardwareRevision: string;
    readonly variant: string;
    readonly windowStartNs: string;
    readonly windowEndNs: string;
    readonly values: readonly (number | null)[];
  }[];
};

export const planSkew =
  (context: SkewContext): Live<FeatureActivities['planSkew']> =>
  async ({ featureSet: reference, vehicles, sinceMs, on }, signal) => {
    const set = await findRegistered(context.projection, reference);
    const asked = { vehicles, sinceMs };
    const windows = await reportedWindows(context, set, asked);
    const limits = { countMax: SKEW_SAMPLES_MAX, bytesMax: SKEW_SAMPLE_BYTES_MAX };
    const samples = await context.sampledVectors.select({ featureSet: set.digest, ...asked, ...limits });
    if (windows.length + samples.length === 0) throw nothingReported(set, asked);
    signal.throwIfAborted();
    const coverage = new Coverage(
      set.featureSet,
      await recordingsOf(context, new Set(windows.map(({ vehicle }) => vehicle))),
    );
    const date = on ?? new Date().toISOString().slice(0, 'YYYY-MM-DD'.length);
    const rest = new SkewCounter(set.featureSet, date);
    const covered = new Map<CoveringRecording, LoggedVector[]>();
    const source = 'recording';
    for (const window of windows) {
      const recording = coverage.find(window);
      if (window.values.length !== set.featureSet.features.length) rest.add(window, { source, kind: 'malformed' });
      else if (recording === undefined) rest.add(window, { source, kind: 'uncovered' });
      else if (covered.get(recording)?.push(window) === undefined) covered.set(recording, [window]);
    }
    const parts: Digest[] = [];
    const keep = async (part: SkewPart): Promise<void> =>
      void parts.push(await store(context, part as unknown as JsonValue));
    for (const part of partsOfWindows(covered)) await keep({ covered: part });
    for (const part of partsOfSamples(samples)) await keep({ samples: part });
    const plan = {
      featureSet: set.digest,
      parts,
      rest: await store(context, rest.tally() as unknown as JsonValue),
      windows: windows.length + samples.length,
      date,
    };
    return plan satisfies SkewPlan;
  };

export const tallySkew =
  (context: SkewContext): Live<FeatureActivities['tallySkew']> =>
  async ({ featureSet: digest, part: name, date }, signal) => {
    const { featureSet } = await findRegistered(context.projection, digest);
    const part = (await read(context, name)) as SkewPart;
    const counter = new SkewCounter(featureSet, date);
    const windows =
      'samples' in part
        ? await countSamples(counter, part.samples, { featureSet, signal })
        : await countCovered(context, counter, { covered: part.covered, featureSet, signal });
    return { tally: await store(context, counter.tally() as unknown as JsonValue), windows };
  };

async function countCovered(
  context: SkewContext,
  counter: SkewCounter,
  {
    covered,
    featureSet,
    signal,
  }: {
    readonly covered: readonly CoveredWindows[];
    readonly featureSet: RegisteredFeatureSet['featureSet'];
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const source = 'recording';
  let windows = 0;
  for (const { recording, firmware, windows: logged } of covered) {
    signal.throwIfAborted();
    const rows = new Map<string, FeatureRow>();
    for (const row of await computed(context, { recording, featureSet, signal })) rows.set(windowKey(row), row);
    for (const each of logged) {
      const vector = fromPlain(each);
      const row = rows.get(windowKey(vector));
      counter.add(
        vector,
        row === undefined
          ? { source, kind: 'unmatched', firmware }
          : { source, kind: 'compared', firmware, evidence: recording, recomputed: row.values },
      );
    }
    windows += logged.length;
  }
  return windows;
}

export const judgeSkew =
  (context: SkewContext): Live<FeatureActivities['judgeSkew']> =>
  async ({ evaluationId, plan, tallies, actor }, signal) => {
    const set = await findRegistered(context.projection, plan.featureSet);
    let tally = (await read(context, plan.rest)) as SkewTally;
    for (const each of tallies) {
      signal.throwIfAborted();
      tally = addTallies(tally, (await read(context, each)) as SkewTally);
    }
    const report = reportSkew(set.featureSet, set.digest, { tally, date: plan.date });
    const digest = await store(context, report as unknown as JsonValue);
    const body = factOf(set, report, { evaluationId, digest });
    await recordFacts(context, [
      { kind: 'skew.evaluated', key: evaluationId, actor, evidence: [digest, set.digest], body },
    ]);
    return {
      evaluationId,
      verdict: report.verdict,
      report: digest,
      compared: report.windows.compared,
    } satisfies SkewOutcome;
  };

type Asked = { readonly vehicles: readonly string[]; readonly sinceMs: number | null };

/** What vehicles reported with any bundle of the feature set. */
async function reportedWindows(
  { projection, telemetry }: SkewContext,
  { digest }: RegisteredFeatureSet,
  { vehicles, sinceMs }: Asked,
): Promise<readonly LoggedVector[]> {
  const rows = await projection.query('SELECT DISTINCT bundle FROM bundles WHERE feature_set = $digest', { digest });
  const windows = await telemetry.history({
    bundles: rows.map((row) => String(row['bundle'])),
    limit: SKEW_WINDOWS_MAX,
    ...(vehicles.length === 0 ? {} : { vehicles }),
    ...(sinceMs === null ? {} : { sinceMs }),
  });
  return windows.map(toLogged);
}

function nothingReported({ name, version }: RegisteredFeatureSet, { sinceMs }: Asked): FleetError {
  const since = sinceMs === null ? '' : ` since ${new Date(sinceMs).toISOString()}`;
  return new FleetError(
    'FEATURE_SKEW',
    `no vehicle asked for has reported or sampled a vector of ${name}@${version}${since}: look whether one runs a bundle with it`,
  );
}

async function recordingsOf(
  { projection }: SkewContext,
  vehicles: ReadonlySet<string>,
): Promise<readonly CoveringRecording[]> {
  const rows = await projection.query(
    `SELECT recording, vehicle_id, session, firmware, software_version, start_ns, end_ns FROM recordings
     WHERE list_contains(from_json($vehicles, '["VARCHAR"]'), vehicle_id)`,
    { vehicles: JSON.stringify([...vehicles]) },
  );
  return rows.map((row) => ({
    recording: String(row['recording']),
    vehicle: String(row['vehicle_id']),
    session: String(row['session']),
    // The controller's own revision where the recording tells, and what software the vehicle ran.
    firmware: [row['software_version'], row['firmware']]
      .filter((part) => typeof part === 'string' && part !== '')
      .join('/'),
    startNs: BigInt(String(row['start_ns'])),
    endNs: BigInt(String(row['end_ns'])),
  }));
}

function* partsOfWindows(
  covered: ReadonlyMap<CoveringRecording, readonly LoggedVector[]>,
): Generator<readonly CoveredWindows[]> {
  let part: CoveredWindows[] = [];
  let windows = 0;
  for (const [{ recording, firmware }, logged] of covered) {
    part.push({ recording, firmware, windows: logged.map(toPlain) });
    windows += logged.length;
    if (windows < WINDOWS_PER_PART) continue;
    yield part;
    [part, windows] = [[], 0];
  }
  if (part.length > 0) yield part;
}

/** A recording without the inputs of the features, whatever the vehicle did with them, confirms no window. */
async function computed(
  { features }: SkewContext,
  {
    recording,
    featureSet,
    signal,
  }: {
    readonly recording: string;
    readonly featureSet: RegisteredFeatureSet['featureSet'];
    readonly signal: AbortSignal;
  },
): Promise<readonly FeatureRow[]> {
  try {
    return await features.compute(parseDigest(recording), featureSet, { signal });
  } catch (error) {
    if (FleetError.from(error).code === 'FEATURE_INPUT_MISSING') return [];
    throw error;
  }
}

function factOf(
  set: RegisteredFeatureSet,
  report: SkewReport,
  { evaluationId, digest }: { readonly evaluationId: string; readonly digest: Digest },
): FactBody<'skew.evaluated'> {
  return {
    evaluationId,
    featureSet: nameOf(set),
    owner: set.featureSet.owner,
    verdict: report.verdict,
    windows: report.windows,
    differs: report.differs.slice(0, NAMED_MAX).map((each) => ({ ...each })),
    differsCount: report.differs.length,
    report: digest,
  };
}

async function store({ blobs }: SkewContext, document: JsonValue): Promise<Digest> {
  return blobs.put(Buffer.from(canonicalJson(document), 'utf8'));
}

async function read({ blobs }: SkewContext, digest: string): Promise<unknown> {
  return JSON.parse(Buffer.from(await blobs.get(parseDigest(digest))).toString('utf8'));
}

function toLogged(window: InferenceWindow): LoggedVector {
  const { vehicleId, session, hardwareRevision, variant, windowStartNs, windowEndNs, features } = window;
  return { vehicle: vehicleId, session, hardwareRevision, variant, windowStartNs, windowEndNs, values: features };
}

function toPlain({ windowStartNs, windowEndNs, values, ...vector }: LoggedVector): CoveredWindows['windows'][number] {
  const finite = values.map((value) => (Number.isFinite(value) ? value : null));
  return { ...vector, windowStartNs: String(windowStartNs), windowEndNs: String(windowEndNs), values: finite };
}

function fromPlain({ windowStartNs, windowEndNs, values, ...vector }: CoveredWindows['windows'][number]): LoggedVector {
  return {
    ...vector,
    windowStartNs: BigInt(windowStartNs),
    windowEndNs: BigInt(windowEndNs),
    values: values.map((value) => value ?? Number.NaN),
  };
}
