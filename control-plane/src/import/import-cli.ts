/** `fleetloop import`: brings test-drive runs into the catalogue, one by options or many by folders or a specification file. */
import { dirname, resolve } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import type { Mapping } from '@fleetloop/schemas/source';
import { Command } from 'commander';
import type { CommandIo } from '../ledger/command-io.ts';
import { type Folders, findRuns } from './find-runs.ts';
import { addImportOptions, type ImportOptions, specificationOf } from './import-options.ts';
import { ImportSpecification, planImport } from './import-plan.ts';
import { ImportProgress, describeReport } from './import-progress.ts';
import type { ImportDisk } from './import-run.ts';
import { importRuns } from './import-runs.ts';
import { type ImportClient, type SendParts, apiTarget } from './send-recording.ts';
import { importOnServer } from './server-import.ts';

/** What the command needs beside the API: the disk, and to know when it is interrupted. */
export type ImportIo = Omit<CommandIo, 'client'> & {
  readonly client: () => Promise<ImportClient>;
  readonly readText: (path: string) => Promise<string>;
  /** Progress for the person who waits; not part of the answer. */
  readonly progress: (line: string) => void;
  /** Aborts at Ctrl-C; asked for by commands that then have something to put away. */
  readonly interruption: () => AbortSignal;
  readonly openDisk: () => Promise<DiskAccess>;
};

export type DiskAccess = AsyncDisposable & {
  readonly disk: ImportDisk;
  readonly folders: Folders;
  readonly loadMapping: (path: string) => Promise<Mapping>;
  readonly read: SendParts['read'];
};

/** The command `import`. */
export function importCommand(io: ImportIo): Command {
  const command = new Command('import')
    .description('bring runs of test drives into the catalogue, with label, vehicle, attributes and circumstances')
    .argument('[source...]', 'files of the runs (one each), folders of arrays, or folders that hold runs')
    .addHelpText(
      'after',
      '\nInterrupted or repeated, it goes on where it was: what is in the catalogue is not decoded again, a large upload continues.',
    );
  return addImportOptions(command).action(async (sources: readonly string[], options: ImportOptions) =>
    options.root === undefined ? runImport(io, sources, options) : runOnServer(io, sources, options),
  );
}

async function runImport(io: ImportIo, sources: readonly string[], options: ImportOptions): Promise<void> {
  const { document, folder } = await readSpecification(io, sources, options);
  const plan = planImport(document, folder);
  const signal = io.interruption();
  await using access = await io.openDisk();
  const { disk, folders, loadMapping, read } = access;
  const runs = await findRuns(plan, { folders, loadMapping, signal });
  const progress = new ImportProgress(runs.length, io.progress, () => performance.now());
  try {
    const report = await importRuns(runs, {
      disk,
      target: apiTarget({ client: io.client, read }),
      signal,
      onRun: (run) => progress.ended(run),
      onStep: (run, step) => progress.step(run, step),
    });
    io.print(options.json === true ? JSON.stringify(report, null, 2) : describeReport(report));
    if (report.quarantined + report.failed > 0) io.answerNo();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new FleetError(
      'IMPORT_INTERRUPTED',
      `${progress.endedRuns} of ${runs.length} runs were done when it was interrupted: repeat the command to go on`,
    );
  }
}

async function runOnServer(io: ImportIo, sources: readonly string[], options: ImportOptions): Promise<void> {
  const { document } = await readSpecification(io, sources, options);
  const parsed = ImportSpecification.safeParse(document);
  if (!parsed.success) planImport(document, '/');
  const answer = await importOnServer(io, {
    root: options.root ?? '',
    specification: document,
    isDetached: options.detach === true,
    isJson: options.json === true,
  });
  if (answer === undefined) return;
  io.print(options.json === true ? JSON.stringify(answer, null, 2) : describeReport(answer));
  if (answer.quarantined + answer.failed > 0) io.answerNo();
}

async function readSpecification(
  io: ImportIo,
  sources: readonly string[],
  options: ImportOptions,
): Promise<{ readonly document: unknown; readonly folder: string }> {
  if (options.spec === undefined) {
    if (sources.length === 0)
      throw new FleetError('IMPORT_INVALID', 'name what to import: files, folders, or --spec with a specification');
    return { document: specificationOf(sources, options), folder: process.cwd() };
  }
  const text = await io.readText(options.spec);
  try {
    return { document: JSON.parse(text) as unknown, folder: dirname(resolve(options.spec)) };
  } catch (cause) {
    throw new FleetError('IMPORT_INVALID', `${options.spec} is not JSON`, { cause });
  }
}
