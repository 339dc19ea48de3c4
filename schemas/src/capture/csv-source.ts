/** Reads the CSV files of one drive session as messages. */
import { FleetError } from '../errors/fleet-error.ts';
import type { SourceMessage } from './source-message.ts';
import { makeCsvTokenizer, type CsvRow } from './csv-tokenizer.ts';
import { makeCsvRowReader, type CsvRowReader } from './csv-rows.ts';
import { keyedRow, type KeyedLines, makeKeyedRowReader } from './keyed-rows.ts';
import type { CsvMapping } from './mapping-formats.ts';
import { mergeByTime } from './merge.ts';
import { findSessionFiles } from './session-files.ts';
import type { SourceFiles } from './source-files.ts';
import { nameSession, splitPath } from './source-name.ts';
import { BATCH_MESSAGES_MAX, makeReportCounter, type ReportCounter, type Source } from './source.ts';
import { readTextLines } from './text-lines.ts';

export type CsvSourceOptions = {
  readonly mapping: CsvMapping;
  /** One file of the session; the mapping names the others. */
  readonly sourcePath: string;
  readonly files: SourceFiles;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Opens a session: finds its files and checks every header.
 * @throws FleetError `SOURCE_NOT_FOUND`, `SOURCE_FORMAT`, `SOURCE_EMPTY`, `SOURCE_COLUMN_MISSING`, `SOURCE_COLUMN_DUPLICATE`,
 * `MAPPING_INVALID`; while reading also `SOURCE_ROW_INVALID`, `SOURCE_VALUE_INVALID`, `SOURCE_LIMIT`, with file, line, column.
 */
export async function openCsvSource(options: CsvSourceOptions): Promise<Source> {
  const { mapping, files } = options;
  const { opened, words } = await findSessionFiles(mapping.files, options.sourcePath, files);
  const counter = makeReportCounter();
  const readers = await Promise.all(
    opened.map(async ({ mapping: mapped, path }) =>
      mapped.keyed === undefined
        ? makeCsvRowReader(mapped, await readHeader(path, options), counter)
        : makeKeyedRowReader(mapped, splitPath(path).name, counter),
    ),
  );
  return {
    description: {
      ...nameSession(mapping.session, words, { session: '', attributes: {} }),
      channels: readers.flatMap((reader) => reader.channels),
      files: opened.map((file) => file.path),
      unusedColumns: readers.flatMap((reader) => reader.unusedColumns.map((column) => `${reader.fileName}:${column}`)),
      remarks: [],
    },
    batches: () => {
      const streams = opened.map((file, index) => {
        const reader = readers[index];
        if (reader === undefined) throw new Error('a file without reader');
        const { path, mapping: mapped } = file;
        const rows =
          mapped.keyed === undefined
            ? withoutHeader(readRows(path, reader.fileName, files, options.signal))
            : readKeyedRows(path, mapped.keyed, files, options.signal);
        return readMessages(path, reader, rows, counter);
      });
      return mergeByTime(streams);
    },
    report: counter.report,
  };
}

async function readHeader(path: string, options: CsvSourceOptions): Promise<{ fileName: string; header: CsvRow }> {
  const fileName = splitPath(path).name;
  for await (const rows of readRows(path, fileName, options.files, options.signal)) {
    const [header] = rows;
    if (header !== undefined) return { fileName, header };
  }
  throw new FleetError('SOURCE_EMPTY', `${path} is empty; it needs a header and at least one row`, {
    details: { file: fileName },
  });
}

/** Rows as they come in, decoded from UTF-8. */
async function* readRows(
  path: string,
  fileName: string,
  files: SourceFiles,
  signal?: AbortSignal,
): AsyncGenerator<readonly CsvRow[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const tokenizer = makeCsvTokenizer(fileName);
  for await (const piece of files.read(path, signal)) {
    yield tokenizer.push(decodeText(decoder, piece, fileName));
  }
  yield [...tokenizer.push(decodeText(decoder, undefined, fileName)), ...tokenizer.end()];
}

function decodeText(
  decoder: InstanceType<typeof TextDecoder>,
  piece: Uint8Array | undefined,
  fileName: string,
): string {
  try {
    return piece === undefined ? decoder.decode() : decoder.decode(piece, { stream: true });
  } catch (cause) {
    throw new FleetError('SOURCE_FORMAT', `${fileName} is not UTF-8 text`, { cause, details: { file: fileName } });
  }
}

async function* withoutHeader(pieces: AsyncIterable<readonly CsvRow[]>): AsyncGenerator<readonly CsvRow[]> {
  let isHeader = true;
  for await (const rows of pieces) {
    yield isHeader ? rows.slice(1) : rows;
    if (rows.length > 0) isHeader = false;
  }
}

async function* readKeyedRows(
  path: string,
  keyed: KeyedLines,
  files: SourceFiles,
  signal?: AbortSignal,
): AsyncGenerator<readonly CsvRow[]> {
  for await (const lines of readTextLines(files.read(path, signal), splitPath(path).name))
    yield lines.map((line) => keyedRow(line, keyed));
}

async function* readMessages(
  path: string,
  reader: CsvRowReader,
  pieces: AsyncIterable<readonly CsvRow[]>,
  counter: ReportCounter,
): AsyncGenerator<readonly SourceMessage[], void, undefined> {
  const read = reader.start();
  let rowCount = 0;
  let batch: SourceMessage[] = [];
  for await (const rows of pieces) {
    for (const row of rows) {
      rowCount += 1;
      batch.push(...read(row));
      if (batch.length < BATCH_MESSAGES_MAX) continue;
      counter.messages(batch.length);
      yield batch;
      batch = [];
    }
  }
  if (rowCount === 0)
    throw new FleetError('SOURCE_EMPTY', `${path} holds no rows`, { details: { file: reader.fileName } });
  counter.messages(batch.length);
  if (batch.length > 0) yield batch;
}
