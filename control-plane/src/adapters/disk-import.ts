/** What `import` needs of a disk: sources, their digests, folders, and files to work in. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { type Digest, FleetError } from '@fleetloop/schemas';
import { isFleetRecording, type Mapping, openSource, parseMappingText } from '@fleetloop/schemas/source';
import type { Folders } from '../import/find-runs.ts';
import type { ImportDisk } from '../import/import-run.ts';
import type { DiskAccess } from '../import/import-cli.ts';
import { diskSourceFiles } from './disk-source-files.ts';
import { readPieces } from './read-pieces.ts';
import { WorkFiles } from './work-files.ts';

const PIECE_BYTES = 1024 * 1024;

/** All of it, for a command; disposing it removes what was being worked on. */
export async function openImportDisk(): Promise<DiskAccess> {
  const works = await WorkFiles.open();
  return {
    disk: diskImport(works),
    folders: diskFolders,
    loadMapping,
    read: readPieces,
    [Symbol.asyncDispose]: async () => works[Symbol.asyncDispose](),
  };
}

export function diskImport(works: WorkFiles): ImportDisk {
  return {
    open: async (run, signal) => {
      const shared = { sourcePath: run.source, files: diskSourceFiles, signal };
      if (run.mapping === undefined) return { source: await openSource(shared), mapping: null, mappingFiles: [] };
      const folder = dirname(run.mapping);
      const mapping = await loadMapping(run.mapping);
      const source = await openSource({ ...shared, mapping, folder });
      return {
        source,
        mapping,
        mappingFiles: databasesOf(mapping).map((file) => (isAbsolute(file) ? file : join(folder, file))),
      };
    },
    isFleetRecording: async (path) => isFleetRecording(path, diskSourceFiles),
    digestOf,
    openWorkFile: async () => works.openFile(),
  };
}

export const diskFolders: Folders = {
  kindOf: async (path) =>
    stat(path).then(
      (found) => (found.isDirectory() ? 'folder' : 'file'),
      () => undefined,
    ),
  list: async (path) => {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => ({ name: entry.name, kind: entry.isDirectory() ? ('folder' as const) : ('file' as const) }))
      .toSorted((left, right) => (left.name < right.name ? -1 : left.name > right.name ? 1 : 0));
  },
};

/** The path without links. @throws FleetError SOURCE_NOT_FOUND */
export async function realPath(path: string): Promise<string> {
  return realpath(path).catch((cause: unknown) => {
    throw new FleetError('SOURCE_NOT_FOUND', `${path} does not exist or cannot be read`, { cause });
  });
}

/** @throws FleetError SOURCE_NOT_FOUND, MAPPING_INVALID */
export async function loadMapping(path: string): Promise<Mapping> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new FleetError('SOURCE_NOT_FOUND', `the mapping ${path} cannot be read`, { cause });
  });
  return parseMappingText(text, path);
}

function databasesOf(mapping: Mapping): readonly string[] {
  if (mapping.format === 'candump') return mapping.databases.map(({ file }) => file);
  return mapping.format === 'npy' ? (mapping.can?.databases ?? []).map(({ file }) => file) : [];
}

/** The digest of a file as it lies there, compressed or not. */
async function digestOf(
  path: string,
  signal: AbortSignal,
): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: PIECE_BYTES, signal })) {
      hash.update(piece as Buffer);
      sizeBytes += (piece as Buffer).length;
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw new FleetError('SOURCE_NOT_FOUND', `${path} cannot be read`, { cause });
  }
  return { digest: `sha256:${hash.digest('hex')}` as Digest, sizeBytes };
}
