/** The command line `fleetloop`: asks the HTTP API of a control plane, and reads local files for `import`. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { Command, CommanderError } from 'commander';
import { z } from 'zod';
import { openImportDisk } from '../adapters/disk-import.ts';
import { createRecordingOutput, openRecordingFile } from '../adapters/disk-recording.ts';
import { diskSourceFiles } from '../adapters/disk-source-files.ts';
import { ThreadedEntryChecks } from '../adapters/threaded-entry-checks.ts';
import { ApiClient, type ApiClientOptions } from '../api/api-client.ts';
import type { FleetIo } from '../api/fleet-io.ts';
import { datasetCommand, modelCommand, recordingCommand, rolloutCommand } from '../api/read-cli.ts';
import { campaignCommand } from '../campaign/campaign-cli.ts';
import { quarantineCommands } from '../catalogue/quarantine-cli.ts';
import { biasCommand, driftCommand, type DriftIo } from '../drift/drift-cli.ts';
import { vehicleCommand } from '../enrolment/vehicle-cli.ts';
import type { ServerComputeIo } from '../features/compute-on-server.ts';
import { featureCommand } from '../features/feature-cli.ts';
import { importCommand, type ImportIo } from '../import/import-cli.ts';
import { ledgerCommand } from '../ledger/ledger-cli.ts';
import { pullCommand } from '../pull/pull-cli.ts';
import { recordingCheckCommand } from '../quality/check-cli.ts';
import { recordingFindingsCommand } from '../quality/findings-cli.ts';
import { recordingFileCommands } from '../recording/recording-cli.ts';
import { traceCommand } from '../trace/trace-cli.ts';
import { workflowCommand } from '../workflow/workflow-cli.ts';

const EXIT_NO = 1;
const EXIT_USAGE = 2;
/** What shells give for a command that a signal ended. */
const EXIT_SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
const STACK_FILE = '.fleetloop/stack.json';
const StackFile = z.object({ url: z.string(), token: z.string() });
/** Failures of the call itself: whoever typed it can mend it. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  'DRIFT_MONITOR_INVALID',
  'FEATURE_SET_INVALID',
  'FEATURE_TABLE_INVALID',
  'REQUEST_INVALID',
  'IMPORT_INVALID',
  'CONFIG_INVALID',
  'STANDARD_INVALID',
  'MAPPING_INVALID',
]);

function buildProgram(): Command {
  const program = new Command('fleetloop')
    .description('closes the data loop of an autonomous fleet')
    .option(
      '--url <url>',
      'address of the control plane (default: FLEETLOOP_URL, else the nearest .fleetloop/stack.json)',
    )
    .option('--token <token>', 'bearer token (default: FLEETLOOP_TOKEN, else the nearest .fleetloop/stack.json)')
    .addHelpText(
      'after',
      '\nThe agent of a vehicle has commands of its own: fleetloop agent --help\nExit codes: 0 done, 1 done and the answer is no, or it failed, 2 the call was wrong, 130 interrupted by Ctrl-C.',
    );
  const io = commandIo(program);
  for (const command of [
    importCommand(io),
    withCommands(recordingCommand(io), [
      ...recordingFileCommands({ ...io, ...recordingFiles, interruption }),
      ...quarantineCommands(io),
    ])
      .addCommand(recordingCheckCommand({ ...io, sourceFiles: diskSourceFiles }))
      .addCommand(recordingFindingsCommand(io)),
    featureCommand({ ...io, interruption, sourceFiles: diskSourceFiles, today })
      .addCommand(driftCommand(io))
      .addCommand(biasCommand(io)),
    datasetCommand(io),
    modelCommand(io),
    rolloutCommand(io),
    campaignCommand(io),
    vehicleCommand(io),
    pullCommand(io),
    traceCommand(io),
    ledgerCommand(io),
    workflowCommand(io),
  ]) {
    program.addCommand(command);
  }
  exitByThrowing(program);
  return program;
}

function withCommands(command: Command, commands: readonly Command[]): Command {
  for (const each of commands) command.addCommand(each);
  return command;
}

const recordingFiles = {
  openRecording: openRecordingFile,
  createOutput: createRecordingOutput,
  printSlowly: async (text: string): Promise<void> => {
    if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
  },
};

function commandIo(program: Command): ImportIo & FleetIo & DriftIo & ServerComputeIo {
  const client = async (): Promise<ApiClient> => new ApiClient(await findServer(program.opts()));
  return {
    client,
    print: (text) => {
      process.stdout.write(`${text}\n`);
    },
    progress: (line) => {
      process.stderr.write(`${line}\n`);
    },
    answerNo: () => {
      process.exitCode = EXIT_NO;
    },
    readText,
    interruption,
    openDisk: openImportDisk,
    entryChecks: async (resources) => resources.use(new ThreadedEntryChecks()),
  };
}

let interruptedBy: keyof typeof EXIT_SIGNALS | undefined;

/** Handlers stand only while a command asked for them: any other ends at once. A second Ctrl-C ends this one, too. */
function interruption(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => {
      interruptedBy = name;
      stop.abort();
    });
  return stop.signal;
}

const today = (): string => new Date().toISOString().slice(0, 'YYYY-MM-DD'.length);

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new FleetError('SOURCE_NOT_FOUND', `${path} cannot be read`, { cause });
  });
}

/** Options, then the environment, then the stack that was started in this folder or one above it. */
async function findServer(options: { readonly url?: string; readonly token?: string }): Promise<ApiClientOptions> {
  const url = options.url ?? process.env['FLEETLOOP_URL'];
  const token = options.token ?? process.env['FLEETLOOP_TOKEN'];
  if (url !== undefined && token !== undefined) return { url, token };
  const stack = await nearestStack(process.cwd());
  if (stack !== undefined) return { url: url ?? stack.url, token: token ?? stack.token };
  throw new FleetError(
    'CONFIG_INVALID',
    `no control plane is named: give --url and --token, set FLEETLOOP_URL and FLEETLOOP_TOKEN, or run it where ${STACK_FILE} is`,
  );
}

async function nearestStack(folder: string): Promise<ApiClientOptions | undefined> {
  for (let current = resolve(folder); ; current = dirname(current)) {
    const text = await readFile(join(current, STACK_FILE), 'utf8').catch(() => undefined);
    const parsed = text === undefined ? undefined : StackFile.safeParse(JSON.parse(text));
    if (parsed?.success === true) return parsed.data;
    if (current === dirname(current)) return undefined;
  }
}

/** Commander would end the process itself; subcommands must throw as well. */
function exitByThrowing(command: Command): void {
  command.exitOverride();
  command.commands.forEach((each) => exitByThrowing(each));
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (interruptedBy !== undefined && error instanceof Error && error.name === 'AbortError') {
    process.stderr.write('fleetloop: interrupted\n');
    return EXIT_SIGNALS[interruptedBy];
  }
  const failure = FleetError.from(error);
  process.stderr.write(`fleetloop: ${failure.code}: ${failure.message}\n`);
  return USAGE_CODES.has(failure.code) ? EXIT_USAGE : EXIT_NO;
}

// Whoever reads our output may stop early, as `head` does: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await buildProgram().parseAsync(process.argv);
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
