/** `fleetloop feature compute`: features of recording files, without any server. */
import { type FeatureSet, FleetError } from '@fleetloop/schemas';
import { Command, Option } from 'commander';
import { computeFile, type Engine, ENGINES, type FileFeatures } from './compute-file.ts';
import { computeOnServer, type ServerComputeIo } from './compute-on-server.ts';
import { type FeatureIo, nameOf, parseInstant, readFeatureSet, readMapping } from './feature-files.ts';
import { checkValues, type SessionFeatureRow, writeFeatureParquet } from './feature-parquet.ts';
import { vectorAt } from './feature-vector.ts';
import { requirePlaceOf } from './table-file.ts';

/** Most recordings of one call. */
export const FILES_MAX = 10_000;

type ComputeOptions = {
  readonly set: string;
  readonly recording?: readonly string[];
  readonly where?: string;
  readonly mapping?: string;
  readonly engine: Engine;
  readonly out?: string;
  readonly at?: string;
  readonly json?: true;
};

/** A call about files on this machine. */
type FileOptions = ComputeOptions & { readonly recording: readonly string[] };

export function featureComputeCommand(io: FeatureIo & ServerComputeIo): Command {
  return new Command('compute')
    .description('compute the features of recordings with either engine, into a Parquet table or for one instant')
    .requiredOption('--set <set>', 'the file of the feature set; without --recording NAME, NAME@VERSION or a digest')
    .option(
      '--recording <file...>',
      'MCAP recordings, or any source that the mapping is for; without it the control plane computes',
    )
    .option('--where <cel>', 'without --recording: which recordings of the catalogue; all if absent')
    .option('--mapping <file>', 'what the columns or fields mean; not needed for MCAP, ULog and candump')
    .addOption(
      new Option('--engine <engine>', "stream is the vehicle's engine, batch is SQL").choices(ENGINES).default('batch'),
    )
    .option(
      '--out <file>',
      'the Parquet file to write: session, window_start_ns, window_end_ns, a column for each feature',
    )
    .option(
      '--at <time>',
      'print the vector that a vehicle would have had at this instant (ns since 1970, or 2026-11-21T08:30:00Z)',
    )
    .option('--json', 'print the report, or the vector, as JSON')
    .action(async (options: ComputeOptions) => {
      const { recording, set, where, out, json } = options;
      if (recording !== undefined) return runCompute(io, { ...options, recording });
      checkServerCall(options);
      return computeOnServer(io, { set, where, out, ...(json === undefined ? {} : { json }) });
    });
}

async function runCompute(io: FeatureIo, options: FileOptions): Promise<void> {
  checkCall(options);
  const atNs = options.at === undefined ? undefined : parseInstant(options.at);
  if (options.out !== undefined) await requirePlaceOf(options.out);
  const featureSet = await readFeatureSet(io, options.set);
  const mapping = await readMapping(io, options.mapping);
  const signal = io.interruption();
  const done: { readonly file: string; readonly features: FileFeatures }[] = [];
  let windows = 0;
  for (const file of options.recording) {
    const features = await computeFile(file, options.engine, { featureSet, files: io.sourceFiles, mapping, signal });
    windows += features.rows.length;
    checkValues(featureSet, windows);
    done.push({ file, features });
    io.progress(describeFile(file, features));
  }
  const rows = done.flatMap(({ features }) => features.rows);
  if (atNs !== undefined)
    io.print(describeVector(featureSet, vectorAt(featureSet, rows, atNs), { atNs, isJson: options.json === true }));
  if (options.out === undefined) return;
  await writeFeatureParquet(options.out, featureSet, rows);
  if (atNs === undefined) io.print(describeTable(featureSet, options, done));
}

function checkServerCall({ mapping, at }: ComputeOptions): void {
  if (mapping === undefined && at === undefined) return;
  throw new FleetError('REQUEST_INVALID', '--mapping and --at are for files: name them with --recording');
}

function checkCall({ recording, out, at, where }: FileOptions): void {
  if (where !== undefined)
    throw new FleetError('REQUEST_INVALID', '--where is for the catalogue: leave --recording out');
  if (out === undefined && at === undefined)
    throw new FleetError('REQUEST_INVALID', 'name where the table goes (--out FILE), or an instant (--at TIME)');
  if (at !== undefined && recording.length !== 1)
    throw new FleetError('REQUEST_INVALID', '--at asks for the vector of one recording: name one');
  if (recording.length > FILES_MAX)
    throw new FleetError('REQUEST_INVALID', `name at most ${FILES_MAX} recordings at once`);
}

function describeFile(file: string, { messages, rows, lateSamples }: FileFeatures): string {
  return `${file}: ${messages} messages, ${rows.length} windows${lateSamples ? `, ${lateSamples} late samples` : ''}`;
}

function describeTable(
  featureSet: FeatureSet,
  { engine, out, json }: FileOptions,
  done: readonly { readonly file: string; readonly features: FileFeatures }[],
): string {
  const recordings = done.map(({ file, features: { session, messages, lateSamples, rows } }) => ({
    file,
    session,
    messages,
    windows: rows.length,
    lateSamples,
  }));
  const windows = recordings.reduce((sum, recording) => sum + recording.windows, 0);
  if (json !== true)
    return `${out}: ${windows} windows of ${featureSet.features.length} features, by the ${engine} engine`;
  const features = featureSet.features.map(({ name, unit, description }) => ({ name, unit, description }));
  return JSON.stringify({ featureSet: nameOf(featureSet), engine, out, windows, features, recordings }, null, 2);
}

function describeVector(
  featureSet: FeatureSet,
  row: SessionFeatureRow,
  { atNs, isJson }: { readonly atNs: bigint; readonly isJson: boolean },
): string {
  const values = featureSet.features.map(({ name, unit }, index) => {
    const value = row.values[index] ?? Number.NaN;
    return { name, unit: unit ?? '', value: Number.isNaN(value) ? null : value };
  });
  const ageMs = Number(atNs - row.windowEndNs) / 1e6;
  if (!isJson) {
    const lines = values.map(({ name, unit, value }) => `  ${name} ${value ?? 'missing'} ${unit}`.trimEnd());
    return [`${row.session}: window ${row.windowStartNs} to ${row.windowEndNs}, ${ageMs} ms old`, ...lines].join('\n');
  }
  const { session, windowStartNs, windowEndNs } = row;
  const stamps = { at: String(atNs), windowStartNs: String(windowStartNs), windowEndNs: String(windowEndNs), ageMs };
  const named = Object.fromEntries(values.map(({ name, value }) => [name, value]));
  return JSON.stringify({ featureSet: nameOf(featureSet), session, ...stamps, values: named }, null, 2);
}
