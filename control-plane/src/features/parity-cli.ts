/** `fleetloop feature parity`: holds both engines against each other on recording files, value by value. */
import { type FeatureSet, FleetError } from '@fleetloop/schemas';
import { Command } from 'commander';
import { renderTable } from '../api/text-table.ts';
import { FILES_MAX } from './compute-cli.ts';
import { computeBoth } from './compute-file.ts';
import { type FeatureIo, nameOf, readFeatureSet, readMapping } from './feature-files.ts';
import { compareEngines, type FeatureParity, joinParity, type ParityReport } from './parity.ts';

/** Most starts of windows that a report lists. */
const WINDOWS_LISTED_MAX = 20;

type ParityOptions = {
  readonly set: string;
  readonly recording: readonly string[];
  readonly mapping?: string;
  readonly json?: true;
};

export function featureParityCommand(io: FeatureIo): Command {
  return new Command('parity')
    .description("compare the vehicle's engine with the batch engine on recordings, value by value")
    .requiredOption('--set <file>', 'the feature set')
    .requiredOption('--recording <file...>', 'MCAP recordings, or any source that the mapping is for')
    .option('--mapping <file>', 'what the columns or fields mean; not needed for MCAP, ULog and candump')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 within tolerance, 1 out of tolerance or nothing was compared, 2 the call was wrong.',
    )
    .action(async (options: ParityOptions) => runParity(io, options));
}

async function runParity(io: FeatureIo, options: ParityOptions): Promise<void> {
  if (options.recording.length > FILES_MAX)
    throw new FleetError('REQUEST_INVALID', `name at most ${FILES_MAX} recordings at once`);
  const featureSet = await readFeatureSet(io, options.set);
  const mapping = await readMapping(io, options.mapping);
  const signal = io.interruption();
  const today = io.today();
  const reports: ParityReport[] = [];
  for (const file of options.recording) {
    const { streaming, batch } = await computeBoth(file, { featureSet, files: io.sourceFiles, mapping, signal });
    const report = compareEngines(featureSet, streaming, batch, today);
    reports.push(report);
    io.progress(`${file}: ${batch.length} windows, ${report.withinTolerance ? 'within' : 'out of'} tolerance`);
  }
  const report = joinParity(reports);
  const windows = report.features[0]?.windows ?? 0;
  io.print(options.json === true ? toJson(featureSet, report, options.recording) : toText(report, windows));
  if (!report.withinTolerance || windows === 0) io.answerNo();
}

function toJson(featureSet: FeatureSet, report: ParityReport, files: readonly string[]): string {
  const { withinTolerance, features, onlyStreaming, onlyBatch } = report;
  const document = {
    featureSet: nameOf(featureSet),
    files,
    withinTolerance,
    windows: features[0]?.windows ?? 0,
    onlyStreaming: listed(onlyStreaming),
    onlyBatch: listed(onlyBatch),
    features: features.map(({ worst, ...feature }) => ({
      ...feature,
      worst: worst === undefined ? null : plain(worst),
    })),
  };
  return JSON.stringify(document, null, 2);
}

function toText(report: ParityReport, windows: number): string {
  const rows = report.features.map(({ feature, worstAbsolute, worstRelative, tolerance, withinTolerance }) => ({
    feature,
    worstAbsolute: worstAbsolute.toExponential(2),
    worstRelative: worstRelative.toExponential(2),
    tolerance: `${tolerance.absolute} + ${tolerance.relative} x${tolerance.owner === undefined ? '' : ` (${tolerance.owner}, until ${tolerance.expires})`}`,
    verdict: withinTolerance ? 'equal' : 'differs',
  }));
  const alone = [
    ...(report.onlyStreaming.length === 0 ? [] : [`${report.onlyStreaming.length} windows only of the stream engine`]),
    ...(report.onlyBatch.length === 0 ? [] : [`${report.onlyBatch.length} windows only of the batch engine`]),
  ];
  const verdict =
    windows === 0 ? 'nothing was compared' : report.withinTolerance ? 'within tolerance' : 'out of tolerance';
  const table = renderTable(rows, ['feature', 'worstAbsolute', 'worstRelative', 'tolerance', 'verdict']);
  return [table, ...alone, `${windows} windows compared: ${verdict}`].join('\n');
}

/** Numbers that JSON has no form for, infinities and NaN, are null in it. */
function plain({ windowStartNs, streaming, batch }: NonNullable<FeatureParity['worst']>): Record<string, unknown> {
  return { windowStartNs: String(windowStartNs), streaming, batch };
}

function listed(starts: readonly bigint[]): { readonly count: number; readonly windowStartNs: readonly string[] } {
  return { count: starts.length, windowStartNs: starts.slice(0, WINDOWS_LISTED_MAX).map(String) };
}
