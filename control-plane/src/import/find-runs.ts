/** Turns folders of a plan into the runs that lie in them, so that a drive's disk can be named as a whole. */
import { basename, join, matchesGlob } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import type { Mapping } from '@fleetloop/schemas/source';
import { IMPORT_RUNS_MAX, type ImportPlan, type PlannedRun } from './import-plan.ts';

/** Files and folders that one folder of a plan may hold, at any depth. */
export const FOLDER_ENTRIES_MAX = 1_000_000;
const DEPTH_MAX = 64;
/** Files that describe themselves, with which a folder without a mapping is searched. */
const SELF_DESCRIBED = ['*.mcap', '*.ulg', '*.candump', '*.mcap.zst', '*.ulg.zst', '*.candump.zst'] as const;

/** What the disk is asked. Links are not followed: a folder cannot lead out of itself, or around in a circle. */
export type Folders = {
  /** Undefined when there is nothing at the path. */
  readonly kindOf: (path: string) => Promise<'file' | 'folder' | undefined>;
  /** Files and folders right below, sorted by name. */
  readonly list: (path: string) => Promise<readonly { readonly name: string; readonly kind: 'file' | 'folder' }[]>;
};

export type FindOptions = {
  readonly folders: Folders;
  readonly loadMapping: (path: string) => Promise<Mapping>;
  readonly signal?: AbortSignal;
};

/**
 * The runs of a plan, folders replaced by what lies in them in the order of the names.
 * @throws FleetError IMPORT_INVALID for a folder without any run, or over a limit; MAPPING_INVALID
 */
export async function findRuns({ runs, patterns }: ImportPlan, options: FindOptions): Promise<readonly PlannedRun[]> {
  const found: PlannedRun[] = [];
  for (const run of runs) {
    const sources = await sourcesOf(run, patterns, options);
    found.push(...sources.map((source) => ({ ...run, source })));
    if (found.length > IMPORT_RUNS_MAX)
      throw new FleetError('IMPORT_INVALID', `the import has more than ${IMPORT_RUNS_MAX} runs: import it in parts`);
  }
  return found;
}

async function sourcesOf(
  run: PlannedRun,
  patterns: readonly string[] | undefined,
  options: FindOptions,
): Promise<readonly string[]> {
  // What is not there is a failure of that run alone.
  if ((await options.folders.kindOf(run.source)) !== 'folder') return [run.source];
  const mapping = run.mapping === undefined ? undefined : await options.loadMapping(run.mapping);
  if (mapping?.format === 'npy') return arrayFolders(run.source, mapping, options);
  const names = patterns ?? patternsOf(mapping);
  const found: string[] = [];
  for await (const { path, kind } of walk(run.source, options))
    if (kind === 'file' && names.some((pattern) => matchesGlob(basename(path), pattern))) found.push(path);
  if (found.length > 0) return found;
  throw new FleetError(
    'IMPORT_INVALID',
    `${run.source} holds no file that is named like ${names.join(', ')}: name the files, or give --pattern`,
  );
}

/** The first file that a mapping names stands for the session: those that it joins lie beside it. */
function patternsOf(mapping: Mapping | undefined): readonly string[] {
  const name = templateOf(mapping);
  if (name === undefined) return SELF_DESCRIBED;
  // A word of a template is any text; what is a glob character elsewhere in it is meant as it stands.
  const pattern = name
    .split(/\{[A-Za-z0-9]+\}/)
    .map((literal) => literal.replaceAll(/[*?[\]{}()!\\]/g, String.raw`\$&`))
    .join('*');
  return [pattern, `${pattern}.zst`];
}

function templateOf(mapping: Mapping | undefined): string | undefined {
  if (mapping === undefined || mapping.format === 'npy') return undefined;
  return mapping.format === 'csv' || mapping.format === 'parquet' ? mapping.files[0]?.name : mapping.fileName;
}

/** Folders that hold the first array which the mapping names; the one that was named may be the session itself. */
async function arrayFolders(
  root: string,
  mapping: Mapping & { readonly format: 'npy' },
  options: FindOptions,
): Promise<readonly string[]> {
  const first = mapping.arrays[0]?.time ?? mapping.can?.time;
  if (first === undefined) return [root];
  const isSession = async (folder: string): Promise<boolean> =>
    (await options.folders.kindOf(join(folder, `${first}.npy`))) === 'file' ||
    (await options.folders.kindOf(join(folder, `${first}.npy.zst`))) === 'file';
  if (await isSession(root)) return [root];
  const found: string[] = [];
  for await (const { path, kind } of walk(root, options))
    if (kind === 'folder' && (await isSession(path))) found.push(path);
  return found.length > 0 ? found : [root];
}

async function* walk(
  root: string,
  { folders, signal }: FindOptions,
): AsyncGenerator<{ readonly path: string; readonly kind: 'file' | 'folder' }> {
  let seen = 0;
  const waiting = [{ path: root, depth: 0 }];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    signal?.throwIfAborted();
    const below: { path: string; depth: number }[] = [];
    for (const { name, kind } of await folders.list(folder.path)) {
      seen += 1;
      if (seen > FOLDER_ENTRIES_MAX || folder.depth >= DEPTH_MAX)
        throw new FleetError(
          'IMPORT_INVALID',
          `${root} holds more than ${FOLDER_ENTRIES_MAX} files or is deeper than ${DEPTH_MAX} folders: import it in parts`,
        );
      const path = join(folder.path, name);
      yield { path, kind };
      if (kind === 'folder') below.push({ path, depth: folder.depth + 1 });
    }
    waiting.push(...below.reverse());
  }
}
