/** The way in for everything that replays files: a source file and a mapping file become one drive session. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { openCsvSource } from './csv-source.ts';
import { fileSourceFiles } from './file-source-files.ts';
import { type Mapping, parseMapping } from './mapping.ts';
import { openNpySource } from './npy-source.ts';
import type { Source } from './source.ts';

/** A mapping with the folder that its DBC files are named from. */
export type LoadedMapping = { readonly mapping: Mapping; readonly folder: string };

/**
 * Reads a mapping file.
 * @throws FleetError `SOURCE_NOT_FOUND`, `MAPPING_INVALID`, `UNIT_UNKNOWN`
 */
export async function loadMapping(path: string): Promise<LoadedMapping> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new FleetError('SOURCE_NOT_FOUND', `mapping ${path} cannot be read`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FleetError(
      'MAPPING_INVALID',
      `mapping ${path} is not JSON: ${cause instanceof Error ? cause.message : ''}`,
      { cause },
    );
  }
  return { mapping: parseMapping(value), folder: dirname(path) };
}

export type OpenSourceOptions = LoadedMapping & {
  /** A CSV file (plain or `.zst`) of the session, or the folder of its arrays. */
  readonly sourcePath: string;
  readonly signal?: AbortSignal;
};

/**
 * Opens one session. Headers are checked here, rows while they are pulled.
 * @throws FleetError as `openCsvSource` and `openNpySource` say
 */
export async function openSource({ mapping, folder, sourcePath, signal }: OpenSourceOptions): Promise<Source> {
  const files = fileSourceFiles;
  return mapping.format === 'csv'
    ? openCsvSource({ mapping, sourcePath, files, signal })
    : openNpySource({ mapping, sourcePath, mappingFolder: folder, files, signal });
}
