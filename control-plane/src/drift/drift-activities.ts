/** Why: what evaluating drift touches: Parquet blobs, sketches and reports in the blob store, one fact in the ledger. */
import { canonicalJson, type Digest, type JsonValue, type NewFact, parseDigest } from '@fleetloop/schemas';
import type { DriftActivities, DriftOutcome, WatchDocument } from '@fleetloop/workflows';
import type { ControlPlane } from '../processes/control-plane-context.ts';
import { guardActivities, withHeartbeat } from '../workflow/activity-guard.ts';
import { boundedMap } from '../workflow/bounded-map.ts';
import { recordFacts } from '../workflow/record-facts.ts';
import { auditBias, type BiasReport } from './audit-bias.ts';
import { countedByAudit, parseBiasAudit } from './bias-audit.ts';
import { type DriftMonitor, parseDriftMonitor } from './drift-monitor.ts';
import { type DriftReport, reportBytes, reportDrift } from './drift-report.ts';
import { fitDefinition } from './fit-definition.ts';
import { mergeSamples, parseSample, sampleToBytes } from './reference-sample.ts';
import { countRows, needsSample, sampleReference } from './sample-reference.ts';
import { parseSketchDefinition, type SketchDefinition } from './sketch-definition.ts';
import { sketchParquet } from './sketch-parquet.ts';
import { parseTableSketch, TableSketch } from './table-sketch.ts';

type Context = Pick<ControlPlane, 'ledger' | 'projection' | 'blobs'>;
type JudgeInput = Parameters<DriftActivities['judgeDrift']>[0];

/** Alerts and inputs that a fact names; the report, which it names by digest, has all. */
const NAMED_MAX = 64;
const BLOBS_AT_ONCE = 8;

export function createDriftActivities(context: Context): DriftActivities {
  return guardActivities<DriftActivities>({
    measureReference: async ({ partitions, ...watch }) =>
      withHeartbeat(async ({ signal }) => {
        if (!needsSample(await countedBy(context, watch))) return { rows: null };
        return { rows: await countRows(await pathsOf(context, partitions), signal) };
      }),
    sampleReference: async ({ partitions, rows, ...watch }) =>
      withHeartbeat(async ({ signal }) => {
        const monitor = await countedBy(context, watch);
        const paths = await pathsOf(context, partitions);
        const sample = await sampleReference(paths, { monitor, rowsInAll: rows }, signal);
        return { sample: await context.blobs.put(sampleToBytes(sample)) };
      }),
    fitDefinition: async ({ samples, ...watch }) =>
      withHeartbeat(async ({ signal }) => {
        const monitor = await countedBy(context, watch);
        const drawn = [];
        for (const sample of samples) {
          signal.throwIfAborted();
          drawn.push(parseSample(await context.blobs.get(parseDigest(sample))));
        }
        const bytes = canonicalJson(fitDefinition(monitor, mergeSamples(drawn)) as JsonValue);
        return { definition: await context.blobs.put(Buffer.from(bytes, 'utf8')) };
      }),
    sketchPartitions: async ({ definition, partitions }) =>
      withHeartbeat(async ({ signal }) => {
        const parsed = await definitionOf(context, definition);
        const sketch = await sketchParquet(await pathsOf(context, partitions), parsed, signal);
        return { sketch: await context.blobs.put(sketch.toBytes()), rows: sketch.rows };
      }),
    judgeDrift: async (input) => withHeartbeat(async ({ signal }) => judge(context, input, signal)),
  });
}

async function judge(context: Context, input: JudgeInput, signal: AbortSignal): Promise<DriftOutcome> {
  const definition = await definitionOf(context, input.definition);
  const current = await merged(context, { definition, sketches: input.sketches.current }, signal);
  const document = await documentOf(context, input.watch);
  const { evaluationId } = input;
  if (input.kind === 'bias-audit') {
    const report = auditBias(parseBiasAudit(document), current);
    const digest = await context.blobs.put(reportBytes(report));
    await recordFacts(context, [biasFact(input, report, digest)]);
    return {
      evaluationId,
      verdict: report.verdict,
      report: digest,
      definition: input.definition,
      alerts: report.counts.failed,
    };
  }
  const reference = await merged(context, { definition, sketches: input.sketches.reference }, signal);
  const monitor = parseDriftMonitor(document);
  const report = reportDrift(monitor, reference, current);
  const digest = await context.blobs.put(reportBytes(report));
  const sketches = {
    reference: await context.blobs.put(reference.toBytes()),
    current: await context.blobs.put(current.toBytes()),
  };
  await recordFacts(context, [driftFact(input, { monitor, report, digest, sketches })]);
  return {
    evaluationId,
    verdict: report.verdict,
    report: digest,
    definition: input.definition,
    alerts: report.alerts.length,
  };
}

async function merged(
  context: Context,
  { definition, sketches }: { readonly definition: SketchDefinition; readonly sketches: readonly string[] },
  signal: AbortSignal,
): Promise<TableSketch> {
  const sum = new TableSketch(definition);
  for (const digest of sketches) {
    signal.throwIfAborted();
    sum.add(parseTableSketch(await context.blobs.get(parseDigest(digest)), definition));
  }
  return sum;
}

function driftFact(
  input: JudgeInput,
  evaluated: {
    readonly monitor: DriftMonitor;
    readonly report: DriftReport;
    readonly digest: Digest;
    readonly sketches: { readonly reference: string; readonly current: string };
  },
): NewFact {
  const { monitor, report, digest, sketches } = evaluated;
  const alerts = report.alerts.slice(0, NAMED_MAX).map(({ feature, slice, season, owner, severity, tests }) => ({
    feature,
    slice,
    season: [...season],
    owner,
    severity,
    tests: [...tests],
  }));
  return {
    kind: 'drift.evaluated',
    key: input.evaluationId,
    actor: input.actor,
    evidence: [input.watch, input.definition, sketches.reference, sketches.current, digest],
    body: {
      evaluationId: input.evaluationId,
      monitor: input.watch,
      monitorName: monitor.name,
      monitorVersion: monitor.version,
      owner: monitor.owner,
      reference: input.reference.slice(0, NAMED_MAX),
      referenceCount: input.reference.length,
      current: input.current.slice(0, NAMED_MAX),
      currentCount: input.current.length,
      definition: input.definition,
      sketches,
      report: digest,
      rows: report.rows,
      verdict: report.verdict,
      counts: report.counts,
      alerts,
      alertCount: report.alerts.length,
    },
  };
}

function biasFact(input: JudgeInput, report: BiasReport, digest: Digest): NewFact {
  const failed = report.results.filter(({ verdict }) => verdict === 'failed');
  return {
    kind: 'bias.audited',
    key: input.evaluationId,
    actor: input.actor,
    evidence: [input.watch, input.definition, digest],
    body: {
      evaluationId: input.evaluationId,
      audit: input.watch,
      auditName: report.audit.name,
      auditVersion: report.audit.version,
      owner: report.audit.owner,
      tables: input.current.slice(0, NAMED_MAX),
      tableCount: input.current.length,
      definition: input.definition,
      report: digest,
      rows: report.rows,
      verdict: report.verdict,
      counts: report.counts,
      findings: failed.slice(0, NAMED_MAX).map(({ attribute, group, measure, difference }) => ({
        attribute,
        group,
        measure,
        difference: difference ?? 0,
      })),
      findingCount: failed.length,
    },
  };
}

async function countedBy(context: Context, { kind, watch }: WatchDocument): Promise<DriftMonitor> {
  const document = await documentOf(context, watch);
  return kind === 'bias-audit' ? countedByAudit(parseBiasAudit(document)) : parseDriftMonitor(document);
}

async function definitionOf(context: Context, digest: string): Promise<SketchDefinition> {
  return parseSketchDefinition(await documentOf(context, digest));
}

async function documentOf({ blobs }: Context, digest: string): Promise<unknown> {
  return JSON.parse(Buffer.from(await blobs.get(parseDigest(digest))).toString('utf8'));
}

async function pathsOf({ blobs }: Context, digests: readonly string[]): Promise<readonly string[]> {
  return boundedMap(digests, BLOBS_AT_ONCE, async (digest) => blobs.pathOf(parseDigest(digest)));
}
