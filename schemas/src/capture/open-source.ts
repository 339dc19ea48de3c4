/** One way in for every kind of source: a mapping and the files it names become one drive session. */
import { assertNever, FleetError } from '../errors/fleet-error.ts';
import { openCandumpSource } from './candump-source.ts';
import { openCsvSource } from './csv-source.ts';
import { detectFormat, readStart } from './detect-format.ts';
import { type Mapping, parseMapping } from './mapping.ts';
import { openMcapSource } from './mcap-source.ts';
import { openNpySource } from './npy-source.ts';
import { openParquetSource } from './parquet-source.ts';
import type { Source } from './source.ts';
import type { SourceFiles } from './source-files.ts';
import { openUlogSource } from './ulog-source.ts';

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

export type OpenSourceOptions = {
  /** May be left out for formats that describe themselves: MCAP, ULog, candump. */
  readonly mapping?: Mapping | undefined;
  /** Folder that the mapping names its DBC files from. */
  readonly folder?: string | undefined;
  /** A file of the session (plain or `.zst`), or the folder of its arrays. */
  readonly sourcePath: string;
  readonly files: SourceFiles;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Opens one session. The format is the one of the content; headers are checked here, rows and messages while they are pulled.
 * @throws FleetError `SOURCE_NOT_FOUND`, `SOURCE_FORMAT`, `MAPPING_INVALID`, and what the kind of source says
 */
export async function openSource({ mapping, folder = '.', ...options }: OpenSourceOptions): Promise<Source> {
  // The arrays of a session lie in a folder, which has no first bytes.
  if (mapping?.format === 'npy') return openNpySource({ ...options, mapping, mappingFolder: folder });
  const start = await readStart(options.files, options.sourcePath);
  if (start.length === 0)
    throw new FleetError('SOURCE_EMPTY', `${options.sourcePath} holds not one byte: there is nothing to import`, {
      details: { file: options.sourcePath },
    });
  const format = detectFormat(start);
  if (mapping !== undefined && format !== undefined && format !== mapping.format) {
    throw new FleetError(
      'SOURCE_FORMAT',
      `${options.sourcePath} is a ${format} file, but its mapping is for ${mapping.format}: give a mapping for ${format}`,
    );
  }
  const wanted = mapping?.format ?? format;
  switch (wanted) {
    case 'mcap':
      return openMcapSource({ ...options, mapping: onlyOf(mapping, 'mcap') });
    case 'candump':
      return openCandumpSource({ ...options, mapping: onlyOf(mapping, 'candump'), mappingFolder: folder });
    case 'ulog':
      return openUlogSource({ ...options, mapping: onlyOf(mapping, 'ulog') });
    case 'csv':
      return openCsvSource({ ...options, mapping: needed(mapping, 'csv', options.sourcePath) });
    case 'parquet':
      return openParquetSource({ ...options, mapping: needed(mapping, 'parquet', options.sourcePath) });
    case 'npy':
    case undefined:
      throw new FleetError(
        'MAPPING_INVALID',
        `${options.sourcePath} does not describe itself: name a mapping that says what its columns or arrays are`,
      );
    default:
      return assertNever(wanted);
  }
}

type OfFormat<F extends Mapping['format']> = Extract<Mapping, { format: F }>;

function onlyOf<F extends Mapping['format']>(mapping: Mapping | undefined, format: F): OfFormat<F> | undefined {
  return mapping?.format === format ? (mapping as OfFormat<F>) : undefined;
}

function needed<F extends Mapping['format']>(mapping: Mapping | undefined, format: F, path: string): OfFormat<F> {
  const found = onlyOf(mapping, format);
  if (found !== undefined) return found;
  throw new FleetError('MAPPING_INVALID', `${path} is a ${format} file: name a mapping that says what its columns are`);
}
