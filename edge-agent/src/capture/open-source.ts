/** The way in for everything that replays files: a source file and a mapping file on disk become one drive session. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import {
  type LoadedMapping,
  openSource as openSourceFrom,
  parseMappingText,
  type Source,
} from '@fleetloop/schemas/source';
import { fileSourceFiles } from './file-source-files.ts';

/**
 * Reads a mapping file.
 * @throws FleetError `SOURCE_NOT_FOUND`, `MAPPING_INVALID`, `UNIT_UNKNOWN`
 */
export async function loadMapping(path: string): Promise<LoadedMapping> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new FleetError('SOURCE_NOT_FOUND', `mapping ${path} cannot be read`, { cause });
  });
  return { mapping: parseMappingText(text, path), folder: dirname(path) };
}

/** The mapping may be left out for files that describe themselves: MCAP, ULog, candump. */
export type OpenSourceOptions = Partial<LoadedMapping> & {
  /** A file of the session (plain or `.zst`), or the folder of its arrays. */
  readonly sourcePath: string;
  readonly signal?: AbortSignal;
};

/**
 * Opens one session from disk. Headers are checked here, rows while they are pulled.
 * @throws FleetError `SOURCE_NOT_FOUND` and what the kind of source says
 */
export async function openSource(options: OpenSourceOptions): Promise<Source> {
  return openSourceFrom({ ...options, files: fileSourceFiles });
}
