/** Decodes one page of a flat Parquet column. Every size and count is checked against a limit before memory is taken for it. */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { compressors } from 'hyparquet-compressors';
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import { byteStreamSplit } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { snappyUncompress } from 'hyparquet/src/snappy.js';
import type { parquetHeader } from 'hyparquet/src/column.js';
import { viewOf } from '../record/mcap-bytes.ts';
import { readHybrid } from './parquet-levels.ts';

/** Largest page, packed or unpacked; writers make pages of about 1 MB. */
export const PARQUET_PAGE_BYTES_MAX = 64 * 1024 * 1024;
/** Most values of one page. */
export const PARQUET_PAGE_VALUES_MAX = 8 * 1024 * 1024;
const DELTA_BLOCK_MAX = 65_536;
const DELTA_MINIBLOCKS_MAX = 1_024;

/** A value as the file stores it; `null` for none. */
export type ParquetValue = number | bigint | boolean | Uint8Array | null;
export type PageHeader = ReturnType<typeof parquetHeader>;
type Values = ArrayLike<ParquetValue>;

/** What decoding needs to know of a column. */
export type ParquetColumn = {
  readonly type: 'BOOLEAN' | 'INT32' | 'INT64' | 'FLOAT' | 'DOUBLE' | 'BYTE_ARRAY';
  readonly codec: string;
  readonly isOptional: boolean;
};

/** The values of a dictionary page. Throws plain errors, as all here do. */
export function readDictionaryPage(header: PageHeader, packed: Uint8Array, column: ParquetColumn): Values {
  const count = checkCount(header.dictionary_page_header?.num_values);
  const page = unpack(packed, header.uncompressed_page_size, column.codec);
  return plain(page, column, count);
}

/** The values of a data page, nulls in their places. */
export function readDataPage(
  header: PageHeader,
  packed: Uint8Array,
  column: ParquetColumn,
  dictionary: Values | undefined,
): readonly ParquetValue[] {
  const { count, encoding, levels, body } =
    header.data_page_header_v2 === undefined
      ? firstVersion(header, packed, column)
      : secondVersion(header, packed, column);
  const present = levels === undefined ? count : levels.reduce((sum, level) => sum + level, 0);
  const values = decode(body, encoding, { column, count: present, dictionary });
  if (values.length < present) throw new Error(`a page holds ${values.length} values and promises ${present}`);
  if (levels === undefined) return Array.from(values);
  let next = 0;
  return Array.from(levels, (level) => {
    if (level === 0) return null;
    next += 1;
    return values[next - 1] ?? null;
  });
}

type Page = {
  readonly count: number;
  readonly encoding: string;
  /** 1 where a value is, 0 where there is none; undefined for a column without nulls. */
  readonly levels: Uint32Array | undefined;
  readonly body: Uint8Array;
};

function firstVersion(header: PageHeader, packed: Uint8Array, column: ParquetColumn): Page {
  const count = checkCount(header.data_page_header?.num_values);
  const encoding = String(header.data_page_header?.encoding);
  const page = unpack(packed, header.uncompressed_page_size, column.codec);
  if (!column.isOptional) return { count, encoding, levels: undefined, body: page };
  if (page.length < 4) throw new Error('the levels of a page are cut off');
  const end = 4 + viewOf(page).getUint32(0, true);
  if (end > page.length) throw new Error('the levels of a page are longer than the page');
  return { count, encoding, levels: readHybrid(page.subarray(4, end), 1, count), body: page.subarray(end) };
}

function secondVersion(header: PageHeader, packed: Uint8Array, column: ParquetColumn): Page {
  const found = header.data_page_header_v2;
  if (found === undefined) throw new Error('a page has no header');
  const count = checkCount(found.num_values);
  const repetitionBytes = checkSize(found.repetition_levels_byte_length);
  const levelBytes = checkSize(found.definition_levels_byte_length);
  const start = repetitionBytes + levelBytes;
  if (start > packed.length) throw new Error('the levels of a page are longer than the page');
  const rest = packed.subarray(start);
  const restBytes = checkSize(header.uncompressed_page_size) - start;
  const body = found.is_compressed === false ? rest : unpack(rest, restBytes, column.codec);
  const levels = column.isOptional ? readHybrid(packed.subarray(repetitionBytes, start), 1, count) : undefined;
  return { count, encoding: String(found.encoding), levels, body };
}

type Wanted = {
  readonly column: ParquetColumn;
  readonly count: number;
  readonly dictionary: Values | undefined;
};

function decode(body: Uint8Array, encoding: string, { column, count, dictionary }: Wanted): Values {
  if (count === 0) return [];
  const reader = { view: viewOf(body), offset: 0 };
  switch (encoding) {
    case 'PLAIN':
      return plain(body, column, count);
    case 'PLAIN_DICTIONARY':
    case 'RLE_DICTIONARY': {
      if (dictionary === undefined) throw new Error('a page refers to a dictionary that its column does not have');
      const indexes = readHybrid(body.subarray(1), body[0] ?? 0, count);
      return Array.from(indexes, (index) => {
        if (index < dictionary.length) return dictionary[index] as ParquetValue;
        throw new Error(`a value refers to entry ${index} of a dictionary of ${dictionary.length}`);
      });
    }
    case 'RLE':
      if (column.type !== 'BOOLEAN') break;
      return Array.from(readHybrid(body.subarray(4), 1, count), (bit) => bit === 1);
    case 'DELTA_BINARY_PACKED': {
      if (column.type !== 'INT32' && column.type !== 'INT64') break;
      checkDeltaHeader(body);
      const values = column.type === 'INT32' ? new Int32Array(count) : new BigInt64Array(count);
      deltaBinaryUnpack(reader, count, values);
      return values;
    }
    case 'BYTE_STREAM_SPLIT':
      if (column.type === 'BOOLEAN' || column.type === 'BYTE_ARRAY') break;
      return byteStreamSplit(reader, count, column.type, undefined) as Values;
    default:
  }
  throw new Error(`${column.type} values of the encoding ${encoding} are not read`);
}

function plain(page: Uint8Array, { type }: ParquetColumn, count: number): Values {
  const bits = { BOOLEAN: 1, INT32: 32, FLOAT: 32, INT64: 64, DOUBLE: 64, BYTE_ARRAY: 32 }[type];
  if (page.length * 8 < count * bits) throw new Error(`a page of ${page.length} bytes cannot hold ${count} values`);
  return readPlain({ view: viewOf(page), offset: 0 }, type, count, undefined) as Values;
}

/** The decoder takes memory by the number of miniblocks that a page names. */
function checkDeltaHeader(page: Uint8Array): void {
  let offset = 0;
  const next = (): number => {
    let value = 0;
    for (let index = 0; index < 5; index += 1) {
      const byte = page[offset] ?? 0;
      offset += 1;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) break;
    }
    return value;
  };
  const blockSize = next();
  const miniblocks = next();
  const isSound =
    blockSize > 0 &&
    blockSize <= DELTA_BLOCK_MAX &&
    miniblocks > 0 &&
    miniblocks <= DELTA_MINIBLOCKS_MAX &&
    blockSize % miniblocks === 0;
  if (!isSound) throw new Error(`a page of differences has blocks of ${blockSize} values in ${miniblocks} parts`);
}

function checkCount(count: unknown): number {
  if (typeof count === 'number' && Number.isInteger(count) && count >= 0 && count <= PARQUET_PAGE_VALUES_MAX)
    return count;
  throw new Error(`a page claims ${String(count)} values, not 0 to ${PARQUET_PAGE_VALUES_MAX}`);
}

/** A size that a page claims, before anything is taken for it. */
export function checkSize(size: unknown): number {
  if (typeof size === 'number' && Number.isInteger(size) && size >= 0 && size <= PARQUET_PAGE_BYTES_MAX) return size;
  throw new Error(`a page claims ${String(size)} bytes, not 0 to ${PARQUET_PAGE_BYTES_MAX}`);
}

function unpack(packed: Uint8Array, claimed: unknown, codec: string): Uint8Array {
  const sizeBytes = checkSize(claimed);
  const page = unpackBy(packed, sizeBytes, codec);
  if (page.length === sizeBytes) return page;
  throw new Error(`a page claims ${sizeBytes} bytes and unpacks to ${page.length}`);
}

function unpackBy(packed: Uint8Array, sizeBytes: number, codec: string): Uint8Array {
  const options = { maxOutputLength: Math.max(1, sizeBytes) };
  switch (codec) {
    case 'UNCOMPRESSED':
      return packed;
    case 'SNAPPY': {
      const page = new Uint8Array(sizeBytes);
      snappyUncompress(packed, page);
      return page;
    }
    case 'GZIP':
      return gunzipSync(packed, options);
    case 'BROTLI':
      return brotliDecompressSync(packed, options);
    case 'ZSTD':
      return zstdDecompressSync(packed, options);
    case 'LZ4':
    case 'LZ4_RAW': {
      const page = compressors[codec]?.(packed, sizeBytes);
      if (page !== undefined) return page;
      break;
    }
    default:
  }
  throw new Error(`the compression ${codec} is not known`);
}
