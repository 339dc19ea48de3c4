/** `fleetloop import`: brings test-drive runs into the catalogue, one by options or many by a specification file. */
import { dirname, resolve } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import type { Source } from '@fleetloop/schemas/source';
import { Command } from 'commander';
import type { CommandIo } from '../ledger/command-io.ts';
import type { ImportOutcome } from '../ingest/ports.ts';
import { type ImportedRun, importRuns, type ImportReport } from './import-runs.ts';
import { type ImportSpecification, planImport, type PlannedRun } from './import-plan.ts';

type ImportOptions = {
  readonly spec?: string;
  readonly mapping?: string;
  readonly vehicle?: string;
  readonly hardware?: string;
  readonly software?: string;
  readonly label?: string;
  readonly method?: string;
  readonly attribute: readonly string[];
  readonly json?: true;
};

/** What the command needs beside the API: the disk. */
export type ImportIo = CommandIo & {
  readonly readText: (path: string) => Promise<string>;
  readonly openRun: (run: PlannedRun) => Promise<Source>;
  readonly send: (bytes: Uint8Array, query: Readonly<Record<string, string | undefined>>) => Promise<ImportOutcome>;
  /** Progress for the person who waits; not part of the answer. */
  readonly progress: (line: string) => void;
};

/** The command `import`. */
export function importCommand(io: ImportIo): Command {
  return new Command('import')
    .description('bring runs of test drives into the catalogue, with label, vehicle and attributes')
    .argument('[source...]', 'files of the runs (one each), or folders of arrays')
    .option('--spec <file>', 'an import specification: many runs in one JSON file, instead of the options below')
    .option('--mapping <file>', 'the mapping that says what the columns mean')
    .option('--vehicle <id>', 'the vehicle that drove')
    .option('--hardware <revision>', 'its hardware revision')
    .option('--software <version>', 'its software version')
    .option('--label <label>', 'label of all runs')
    .option('--method <text>', 'how the label was found')
    .option(
      '--attribute <key=value>',
      'an attribute of the sessions; may be given again',
      (value: string, former: readonly string[]) => [...former, value],
      [] as readonly string[],
    )
    .option('--json', 'print the report as JSON')
    .action(async (sources: readonly string[], options: ImportOptions) => runImport(io, sources, options));
}

async function runImport(io: ImportIo, sources: readonly string[], options: ImportOptions): Promise<void> {
  const runs =
    options.spec === undefined
      ? planImport(specificationOf(sources, options), process.cwd())
      : await readPlan(io, options.spec);
  const report = await importRuns(runs, {
    open: io.openRun,
    send: async (bytes, run) =>
      io.send(bytes, { label: run.label, method: run.label === undefined ? undefined : run.method }),
    onRun: (run) => io.progress(describeRun(run)),
  });
  io.print(options.json === true ? JSON.stringify(report, null, 2) : describeReport(report));
  if (report.quarantined + report.failed > 0) io.answerNo();
}

async function readPlan(io: ImportIo, path: string): Promise<readonly PlannedRun[]> {
  const text = await io.readText(path);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new FleetError('IMPORT_INVALID', `${path} is not JSON`, { cause });
  }
  return planImport(document, dirname(resolve(path)));
}

function specificationOf(sources: readonly string[], options: ImportOptions): ImportSpecification {
  const { mapping, vehicle, hardware, software, label, method, attribute } = options;
  return {
    kind: 'import-specification',
    mapping,
    vehicle,
    hardwareRevision: hardware,
    softwareVersion: software,
    label,
    method,
    attributes: Object.fromEntries(attribute.map(parseAttribute)),
    runs: sources.map((source) => ({ source })),
  };
}

function parseAttribute(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new FleetError('IMPORT_INVALID', `--attribute takes key=value, not ${JSON.stringify(text)}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function describeRun(run: ImportedRun): string {
  if ('code' in run) return `${run.state} ${run.source}: ${run.code}: ${run.message}`;
  return `${run.state} ${run.session}: ${run.messages} messages, ${run.sizeBytes} bytes${run.label === null ? '' : `, ${run.label}`}`;
}

function describeReport({ accepted, known, quarantined, failed, runs }: ImportReport): string {
  const bad = runs.filter((run) => 'code' in run).map(describeRun);
  return [
    ...bad,
    `${accepted} accepted, ${known} known before, ${quarantined} quarantined, ${failed} not readable`,
  ].join('\n');
}
