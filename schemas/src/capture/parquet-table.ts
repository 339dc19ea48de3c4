/** A Parquet file as a table that is read row by row: the footer once, then page after page of the columns that are asked for. */
import { parquetHeader } from 'hyparquet/src/column.js';
import { parquetMetadata } from 'hyparquet/src/metadata.js';
import { FleetError } from '../errors/fleet-error.ts';
import { viewOf } from '../record/mcap-bytes.ts';
import {
  checkSize,
  type PageHeader,
  type ParquetColumn,
  type ParquetValue,
  readDataPage,
  readDictionaryPage,
} from './parquet-page.ts';
import type { SourceFiles } from './source-files.ts';

/** Largest footer. */
const FOOTER_BYTES_MAX = 16 * 1024 * 1024;
const ROW_GROUPS_MAX = 65_536;
/** Bytes in which the header of a page is sought; statistics make some of them long. */
const PAGE_HEADER_BYTES_MAX = 64 * 1024;
const MAGIC = 0x31524150;
const TYPES = ['BOOLEAN', 'INT32', 'INT64', 'FLOAT', 'DOUBLE', 'BYTE_ARRAY'] as const;

type Metadata = ReturnType<typeof parquetMetadata>;
type SchemaElement = Metadata['schema'][number];

/** A column of the table by its name. */
export type TableColumn = { readonly name: string; readonly element: SchemaElement };

export type ParquetTable = {
  readonly columns: readonly TableColumn[];
  /** Values of the named columns in step, batch by batch, as far as a page of the shortest reaches. */
  readonly rows: (names: readonly string[]) => AsyncGenerator<readonly (readonly ParquetValue[])[], void, undefined>;
};

type File = {
  readonly path: string;
  readonly fileName: string;
  readonly files: SourceFiles;
  readonly sizeBytes: number;
};

/** Reads the footer. @throws FleetError `SOURCE_FORMAT`, `SOURCE_NOT_FOUND`, `SOURCE_LIMIT` */
export async function openParquetTable(path: string, fileName: string, files: SourceFiles): Promise<ParquetTable> {
  const sizeBytes = await files.sizeOf(path);
  if (sizeBytes === undefined || sizeBytes < 12)
    throw damage(fileName, 0, 'the file is too short, or compressed as a whole: unpack it first');
  const file: File = { path, fileName, files, sizeBytes };
  const metadata = await readFooter(file);
  const columns = metadata.schema
    .slice(1)
    .filter((element) => element.num_children === undefined)
    .map((element) => ({ name: element.name, element }));
  if (metadata.row_groups.length > ROW_GROUPS_MAX)
    throw new FleetError('SOURCE_LIMIT', `${fileName} has more than ${ROW_GROUPS_MAX} row groups`);
  return { columns, rows: (names) => readRows(file, metadata, names) };
}

async function readFooter(file: File): Promise<Metadata> {
  const { path, files, sizeBytes, fileName } = file;
  const end = viewOf(await files.readRange(path, sizeBytes - 8, 8));
  if (end.byteLength < 8 || end.getUint32(4, true) !== MAGIC)
    throw damage(fileName, sizeBytes, 'the file does not end like Parquet: it is cut off or no Parquet');
  const length = end.getUint32(0, true);
  if (length > FOOTER_BYTES_MAX || length + 12 > sizeBytes)
    throw damage(fileName, sizeBytes - 8, `the footer claims ${length} bytes`);
  const start = sizeBytes - 8 - length;
  const bytes = await files.readRange(path, start, length + 8);
  return guard(fileName, start, () => {
    const metadata = parquetMetadata(bytes, { geoparquet: false });
    if (!Array.isArray(metadata.schema) || !Array.isArray(metadata.row_groups))
      throw new Error('the footer has no schema');
    return metadata;
  });
}

async function* readRows(
  file: File,
  metadata: Metadata,
  names: readonly string[],
): AsyncGenerator<readonly (readonly ParquetValue[])[], void, undefined> {
  for (const group of metadata.row_groups) {
    const streams = names.map((name) => readColumn(file, metadata.schema, columnOf(group, name, file.fileName)));
    yield* inStep(streams, file.fileName);
  }
}

type ColumnMetadata = NonNullable<Metadata['row_groups'][number]['columns'][number]['meta_data']>;

function columnOf(group: Metadata['row_groups'][number], name: string, fileName: string): ColumnMetadata {
  const column = (group.columns ?? []).find(
    ({ meta_data: found }) => found?.path_in_schema.length === 1 && found.path_in_schema[0] === name,
  );
  if (column?.meta_data !== undefined) return column.meta_data;
  throw damage(fileName, 0, `a row group lacks the column ${name}, or it is nested`);
}

/** Takes as many rows at once as all columns have at hand. */
async function* inStep(
  streams: readonly AsyncGenerator<readonly ParquetValue[]>[],
  fileName: string,
): AsyncGenerator<readonly (readonly ParquetValue[])[], void, undefined> {
  let held: (readonly ParquetValue[])[] = streams.map(() => []);
  while (true) {
    const next = await Promise.all(
      streams.map(async (stream, index) => {
        const values = held[index] ?? [];
        if (values.length > 0) return values;
        const result = await stream.next();
        return result.done === true ? undefined : result.value;
      }),
    );
    const open = next.filter((values) => values !== undefined);
    if (open.length === 0) return;
    if (open.length < streams.length) throw damage(fileName, 0, 'the columns of a row group differ in length');
    const count = Math.min(...open.map((values) => values.length));
    yield open.map((values) => values.slice(0, count));
    held = open.map((values) => values.slice(count));
  }
}

/** The values of one column chunk, page by page; pages without values are passed over. */
async function* readColumn(
  file: File,
  schema: Metadata['schema'],
  found: ColumnMetadata,
): AsyncGenerator<readonly ParquetValue[]> {
  const column = describe(schema, found, file.fileName);
  const dictionaryAt = Number(found.dictionary_page_offset ?? 0n);
  let byte = dictionaryAt > 0 ? dictionaryAt : Number(found.data_page_offset);
  const end = Math.min(file.sizeBytes, byte + Number(found.total_compressed_size));
  const total = Number(found.num_values);
  let dictionary: ArrayLike<ParquetValue> | undefined;
  let count = 0;
  while (count < total && byte >= 0 && byte < end) {
    const { header, headerBytes } = await readPageHeader(file, byte, end);
    const sizeBytes = guard(file.fileName, byte, () => checkSize(header.compressed_page_size));
    const packed = await file.files.readRange(file.path, byte + headerBytes, sizeBytes);
    const at = byte;
    if (packed.length < sizeBytes) throw damage(file.fileName, at, 'a page reaches over the end of the file');
    byte += headerBytes + sizeBytes;
    if (header.type === 'DICTIONARY_PAGE') {
      dictionary = guard(file.fileName, at, () => readDictionaryPage(header, packed, column));
    } else if (header.type === 'DATA_PAGE' || header.type === 'DATA_PAGE_V2') {
      const values = guard(file.fileName, at, () => readDataPage(header, packed, column, dictionary));
      count += values.length;
      if (values.length > 0) yield values;
    }
  }
  if (count !== total) throw damage(file.fileName, byte, `a column chunk promises ${total} values and holds ${count}`);
}

function describe(schema: Metadata['schema'], found: ColumnMetadata, fileName: string): ParquetColumn {
  const name = found.path_in_schema[0] ?? '';
  const element = schema.find((candidate) => candidate.name === name && candidate.num_children === undefined);
  const type = TYPES.find((candidate) => candidate === found.type);
  if (type === undefined || element === undefined || element.repetition_type === 'REPEATED')
    throw damage(fileName, 0, `column ${name} holds ${found.type}, which is not read`);
  return { type, codec: found.codec, isOptional: element.repetition_type === 'OPTIONAL' };
}

async function readPageHeader(
  { path, files, fileName }: File,
  byte: number,
  end: number,
): Promise<{ readonly header: PageHeader; readonly headerBytes: number }> {
  const bytes = await files.readRange(path, byte, Math.min(PAGE_HEADER_BYTES_MAX, end - byte));
  return guard(fileName, byte, () => {
    const reader = { view: viewOf(bytes), offset: 0 };
    return { header: parquetHeader(reader), headerBytes: reader.offset };
  });
}

function damage(file: string, byte: number, what: string, cause?: unknown): FleetError {
  return new FleetError('SOURCE_FORMAT', `${file}, byte ${byte}: ${what}`, { cause, details: { file, byte } });
}

function guard<T>(fileName: string, byte: number, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw damage(fileName, byte, cause instanceof Error ? cause.message : String(cause), cause);
  }
}
