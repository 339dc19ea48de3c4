/** `fleetloop feature skew`: whether vehicles compute what their feature set says, over the control plane or over files. */
import { FleetError } from '@fleetloop/schemas';
import { Command } from 'commander';
import type { FleetIo } from '../api/fleet-io.ts';
import { renderTable } from '../api/text-table.ts';
import { type FeatureIo, readFeatureSet, readMapping } from './feature-files.ts';
import { followWorkflow } from './follow-workflow.ts';
import { skewOfFiles } from './skew-files.ts';
import type { SkewReport } from './skew-report.ts';

const GROUPS_SHOWN_MAX = 40;

export type SkewIo = FeatureIo & FleetIo;
type SkewOptions = {
  readonly set: string;
  readonly vehicle?: readonly string[];
  readonly since?: string;
  readonly on?: string;
  readonly vectors?: string;
  readonly recording?: readonly string[];
  readonly mapping?: string;
  readonly json?: true;
};

export function featureSkewCommand(io: SkewIo): Command {
  return new Command('skew')
    .description(
      'recompute what vehicles reported, from their recordings and sampled inputs, and say which features differ where',
    )
    .requiredOption('--set <reference>', 'NAME, NAME@VERSION or a digest; with --vectors the file of the feature set')
    .option('--vehicle <id...>', 'only these vehicles')
    .option('--since <time>', 'only what was received from then on (RFC 3339)')
    .option('--on <date>', 'the day on which declared divergences are to hold (YYYY-MM-DD); today without it')
    .option('--vectors <file>', 'Parquet of reported vectors: compares here, without any server')
    .option('--recording <file...>', 'with --vectors: the recordings to recompute from')
    .option('--mapping <file>', 'with --recording: what columns or fields mean; not needed for MCAP, ULog and candump')
    .option('--json', 'print the whole report as JSON')
    .addHelpText('after', '\nExit codes: 0 passed, 1 failed or inconclusive, 2 the call was wrong.')
    .action(async (options: SkewOptions) => {
      const report = await (options.vectors === undefined
        ? skewOnServer(io, options)
        : skewHere(io, options.vectors, options));
      io.print(options.json === true ? JSON.stringify(report, null, 2) : describe(report));
      if (report.verdict !== 'passed') io.answerNo();
    });
}

async function skewHere(io: SkewIo, vectors: string, options: SkewOptions): Promise<SkewReport> {
  const { set, recording, vehicle, since, on } = options;
  if (recording === undefined)
    throw new FleetError('REQUEST_INVALID', '--vectors needs the recordings to recompute from: --recording');
  if (vehicle !== undefined || since !== undefined)
    throw new FleetError(
      'REQUEST_INVALID',
      '--vehicle and --since are for the control plane: --vectors takes the table as it is',
    );
  return skewOfFiles({
    featureSet: await readFeatureSet(io, set),
    vectors,
    recordings: recording,
    sourceFiles: io.sourceFiles,
    mapping: await readMapping(io, options.mapping),
    date: on === undefined ? io.today() : parseDay(on),
    signal: io.interruption(),
    onProgress: io.progress,
  });
}

async function skewOnServer(io: SkewIo, options: SkewOptions): Promise<SkewReport> {
  const { set, vehicle, since, on, recording } = options;
  if (recording !== undefined)
    throw new FleetError('REQUEST_INVALID', '--recording needs --vectors: the control plane has its own');
  const client = await io.client();
  const asked = { featureSet: set, vehicles: vehicle ?? [], since: since ?? null, on: on ?? null };
  const { evaluationId } = await client.post<{ evaluationId: string }>('/v1/skew-evaluations', asked);
  const route = `/v1/skew-evaluations/${evaluationId}`;
  io.progress(`started ${evaluationId}`);
  await followWorkflow(
    client,
    { workflowId: evaluationId, route },
    { progress: io.progress, signal: io.interruption() },
  );
  return (await client.get<{ readonly result: SkewReport }>(route)).result;
}

/** @throws FleetError REQUEST_INVALID */
function parseDay(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))) return text;
  throw new FleetError('REQUEST_INVALID', `--on ${text} is not a day: write YYYY-MM-DD`);
}

function describe({ featureSet, verdict, windows, features, groups, differs }: SkewReport): string {
  const { logged, compared, uncovered, unmatched, malformed, outside, withheld, incomparable, enginesApart } = windows;
  const rows = features.map(({ divergence, ...feature }) => ({
    ...feature,
    worstAbsolute: feature.worstAbsolute.toExponential(2),
    worstRelative: feature.worstRelative.toExponential(2),
    divergence: divergence === null ? '' : `${divergence.owner}, ${divergence.state} until ${divergence.expires}`,
  }));
  const parts = groups
    .slice(0, GROUPS_SHOWN_MAX)
    .map(({ by, value, windows: counts, verdict: own }) => ({ by, value, ...counts, verdict: own }));
  const columns = [
    'feature',
    'transform',
    'compared',
    'outside',
    'shareOutside',
    'worstAbsolute',
    'worstRelative',
    'divergence',
    'verdict',
  ];
  return [
    `${featureSet.name}@${featureSet.version} ${verdict}: ${logged} windows reported, ${compared} compared, ${outside} outside tolerance`,
    `${uncovered} without a recording, ${unmatched} that the batch engine does not give, ${malformed} malformed`,
    ...(groups.some(({ by, value }) => by === 'source' && value === 'sample')
      ? [
          `of the sampled ones ${withheld} not sent for want of room, ${incomparable} not comparable, ${enginesApart} on which our two engines differ`,
        ]
      : []),
    renderTable(rows, columns),
    renderTable(parts, ['by', 'value', 'logged', 'compared', 'uncovered', 'unmatched', 'outside', 'verdict']),
    ...differs
      .slice(0, GROUPS_SHOWN_MAX)
      .map(
        ({ feature, transform, group, shareOutside }) =>
          `${feature} (${transform}) differs for ${group}: ${(shareOutside * 100).toFixed(1)} % outside`,
      ),
  ].join('\n');
}
