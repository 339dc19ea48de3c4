/** `fleetloop recording check`: holds files against a quality standard, without any server. */
import { dirname } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { parseMappingText, type SourceFiles } from '@fleetloop/schemas/source';
import { Command } from 'commander';
import { type CheckedFile, checkFile, type FileReport } from './check-files.ts';
import { defaultStandard } from './default-standard.ts';
import type { Finding } from './finding.ts';
import { RULES } from './rules.ts';
import { withSchemaChanges } from './schema-of-files.ts';
import { parseStandard, type Standard } from './standard.ts';

/** Most files of one call. */
const FILES_MAX = 10_000;

/** What the command needs of the outside. */
export type CheckIo = {
  readonly print: (text: string) => void;
  readonly progress: (line: string) => void;
  readonly answerNo: () => void;
  readonly readText: (path: string) => Promise<string>;
  readonly sourceFiles: SourceFiles;
  /** Aborted by Ctrl-C. */
  readonly interruption: () => AbortSignal;
};

type CheckCliOptions = { readonly standard?: string; readonly mapping?: string; readonly json?: true };

export function recordingCheckCommand(io: CheckIo): Command {
  return new Command('check')
    .description(
      'check recordings against a quality standard: structure, rates, clocks, alignment, units, physics, places',
    )
    .argument('<file...>', 'MCAP recordings, or any source that the mapping is for')
    .option('--standard <file>', 'the quality standard (default: the one of this release, `vehicle`)')
    .option('--mapping <file>', 'what the columns or fields mean; not needed for MCAP, ULog and candump')
    .option('--json', 'print verdict and findings as JSON')
    .addHelpText(
      'after',
      `\nRules: ${Object.keys(RULES).join(', ')}\nExit codes: 0 all taken, 1 at least one is to be quarantined, 2 the call was wrong.`,
    )
    .action(async (files: readonly string[], options: CheckCliOptions) => runCheck(io, files, options));
}

async function runCheck(io: CheckIo, paths: readonly string[], options: CheckCliOptions): Promise<void> {
  if (paths.length > FILES_MAX) throw new FleetError('REQUEST_INVALID', `name at most ${FILES_MAX} files at once`);
  const standard = options.standard === undefined ? defaultStandard() : await readStandard(io, options.standard);
  const mapping =
    options.mapping === undefined
      ? undefined
      : {
          mapping: parseMappingText(await io.readText(options.mapping), options.mapping),
          folder: dirname(options.mapping),
        };
  const checked: CheckedFile[] = [];
  const signal = io.interruption();
  for (const path of paths) checked.push(await checkFile(path, { files: io.sourceFiles, standard, mapping, signal }));
  const reports = withSchemaChanges(checked, standard);
  for (const report of reports) {
    const path = report.file;
    if (options.json === true) io.progress(`${path}: ${report.verdict}, ${report.findings.length} findings`);
    else io.print(describe(report));
  }
  if (options.json === true) io.print(JSON.stringify({ files: reports }, null, 2));
  if (reports.some(({ verdict }) => verdict === 'quarantined')) io.answerNo();
}

async function readStandard(io: CheckIo, path: string): Promise<Standard> {
  let document: unknown;
  try {
    document = JSON.parse(await io.readText(path));
  } catch (cause) {
    if (cause instanceof FleetError) throw cause;
    throw new FleetError('STANDARD_INVALID', `${path} is not JSON`, { cause });
  }
  return parseStandard(document);
}

function describe({ file, verdict, findings, suppressed }: FileReport): string {
  const lines = findings.map(describeFinding);
  const more = suppressed === 0 ? [] : [`  and ${suppressed} more`];
  return [`${file}: ${verdict}`, ...lines, ...more].join('\n');
}

function describeFinding({ rule, severity, fromNs, toNs, message, action }: Finding): string {
  const place = fromNs === null ? '' : ` [${fromNs}${toNs === null || toNs === fromNs ? '' : ` to ${toNs}`}]`;
  return `  ${severity} ${rule}: ${message}${place}\n    ${action}`;
}
