/** One way in for every kind of source: a mapping and the files it names become one drive session. */
import { FleetError } from '../errors/fleet-error.ts';
import { openCsvSource } from './csv-source.ts';
import { type Mapping, parseMapping } from './mapping.ts';
import { openNpySource } from './npy-source.ts';
import type { Source } from './source.ts';
import type { SourceFiles } from './source-files.ts';

/** A mapping with the folder that its DBC files are named from. */
export type LoadedMapping = { readonly mapping: Mapping; readonly folder: string };

/**
 * Reads the text of a mapping file.
 * @throws FleetError `MAPPING_INVALID`, `UNIT_UNKNOWN`
 */
export function parseMappingText(text: string, path: string): Mapping {
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
  return parseMapping(value);
}

export type OpenSourceOptions = LoadedMapping & {
  /** A CSV file (plain or `.zst`) of the session, or the folder of its arrays. */
  readonly sourcePath: string;
  readonly files: SourceFiles;
  readonly signal?: AbortSignal;
};

/**
 * Opens one session. Headers are checked here, rows while they are pulled.
 * @throws FleetError as `openCsvSource` and `openNpySource` say
 */
export async function openSource({ mapping, folder, sourcePath, files, signal }: OpenSourceOptions): Promise<Source> {
  return mapping.format === 'csv'
    ? openCsvSource({ mapping, sourcePath, files, signal })
    : openNpySource({ mapping, sourcePath, mappingFolder: folder, files, signal });
}
