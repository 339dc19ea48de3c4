/** Reads NumPy's `.npy` format (versions 1 to 3) row by row in batches of a fixed number of rows, so that arrays stay in step. */
import { FleetError } from '../errors/fleet-error.ts';

/** Longest header text in bytes. */
export const NPY_HEADER_BYTES_MAX = 64 * 1024;
/** Longest row in bytes. */
export const NPY_ROW_BYTES_MAX = 1024 * 1024;

/** Element types that we read; all little endian. `S` is a byte string of fixed width, padded with zero bytes. */
export type NpyElement =
  | { readonly kind: 'float' | 'signed' | 'unsigned'; readonly sizeBytes: 1 | 2 | 4 | 8 }
  | { readonly kind: 'bytes'; readonly sizeBytes: number };

export type NpyHeader = {
  readonly element: NpyElement;
  readonly rows: number;
  /** 1 for an array of one dimension. */
  readonly columns: number;
  /** Where the values start. */
  readonly dataOffset: number;
};

/** Rows `firstRow` and following; `values` has rows × columns numbers, or `bytes` the raw rows of byte strings. */
export type NpyBatch = {
  readonly firstRow: number;
  readonly rows: number;
  readonly columns: number;
  readonly bytes: Uint8Array;
  /** The number at a row of this batch; NaN for byte strings. 64-bit integers beyond 2^53 are refused. */
  readonly numberAt: (row: number, column: number) => number;
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * Parses the header; gives undefined while the bytes do not reach to its end.
 * @throws FleetError `SOURCE_FORMAT` for another format, another byte order, Fortran order or more than two dimensions.
 */
export function parseNpyHeader(bytes: Uint8Array, fileName: string): NpyHeader | undefined {
  if (MAGIC.some((byte, index) => index < bytes.length && bytes[index] !== byte))
    refuse(fileName, 'is not a NumPy array');
  if (bytes.length < 12) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isFirstVersion = bytes[6] === 1;
  const length = isFirstVersion ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataOffset = (isFirstVersion ? 10 : 12) + length;
  if (length > NPY_HEADER_BYTES_MAX)
    refuse(fileName, `has a header of ${length} bytes, more than ${NPY_HEADER_BYTES_MAX}`);
  if (bytes.length < dataOffset) return undefined;
  const text = new TextDecoder().decode(bytes.subarray(isFirstVersion ? 10 : 12, dataOffset));
  const descr = /'descr':\s*'([^']+)'/.exec(text)?.[1];
  const shapeText = /'shape':\s*\(([\d,\s]*)\)/.exec(text)?.[1];
  if (descr === undefined || shapeText === undefined)
    return refuse(fileName, 'has a header without a simple type and shape');
  const shape = shapeText
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const [rows, columns = 1] = shape;
  if (rows === undefined || shape.length > 2) return refuse(fileName, `has ${shape.length} dimensions, not 1 or 2`);
  if (/'fortran_order':\s*True/.test(text) && shape.length === 2) refuse(fileName, 'is stored column by column');
  return { element: parseElement(descr, fileName), rows, columns, dataOffset };
}

function parseElement(descr: string, fileName: string): NpyElement {
  const match = /^[<|]([fiuS])(\d{1,5})$/.exec(descr);
  const sizeBytes = Number(match?.[2]);
  if (match?.[1] === 'S' && sizeBytes > 0) return { kind: 'bytes', sizeBytes };
  const kind = match?.[1] === 'f' ? 'float' : match?.[1] === 'i' ? 'signed' : 'unsigned';
  const isSize = sizeBytes === 4 || sizeBytes === 8 || (kind !== 'float' && (sizeBytes === 1 || sizeBytes === 2));
  if (match === null || match[1] === 'S' || !isSize)
    return refuse(fileName, `has elements of type ${descr}, which is not read`);
  return { kind, sizeBytes };
}

/**
 * Gives the rows in batches of exactly `batchRows` (the last may be shorter).
 * @throws FleetError `SOURCE_FORMAT` for a file that is cut off or too long, `SOURCE_LIMIT` for a row over the maximum.
 */
export async function* readNpy(
  pieces: AsyncIterable<Uint8Array>,
  fileName: string,
  batchRows: number,
): AsyncGenerator<NpyBatch, void, undefined> {
  let header: NpyHeader | undefined;
  let rest = new Uint8Array(0);
  let row = 0;
  for await (const piece of pieces) {
    rest = concat(rest, piece);
    if (header === undefined) {
      header = parseNpyHeader(rest, fileName);
      if (header === undefined) continue;
      rest = rest.subarray(header.dataOffset);
    }
    const rowBytes = rowBytesOf(header, fileName);
    while (rest.length >= rowBytes * batchRows && row + batchRows <= header.rows) {
      yield makeBatch(header, rest.slice(0, rowBytes * batchRows), row, fileName);
      rest = rest.subarray(rowBytes * batchRows);
      row += batchRows;
    }
  }
  if (header === undefined) return refuse(fileName, 'ends inside its header');
  const wanted = (header.rows - row) * rowBytesOf(header, fileName);
  if (rest.length !== wanted)
    refuse(fileName, `has ${rest.length} bytes after row ${row}; its header promises ${wanted}`);
  if (wanted > 0) yield makeBatch(header, rest.slice(), row, fileName);
}

function rowBytesOf(header: NpyHeader, fileName: string): number {
  const rowBytes = header.element.sizeBytes * header.columns;
  if (rowBytes > 0 && rowBytes <= NPY_ROW_BYTES_MAX) return rowBytes;
  throw new FleetError('SOURCE_LIMIT', `${fileName} has rows of ${rowBytes} bytes, not 1 to ${NPY_ROW_BYTES_MAX}`);
}

function makeBatch(header: NpyHeader, bytes: Uint8Array, firstRow: number, fileName: string): NpyBatch {
  const { element, columns } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = elementReader(element, view, fileName);
  return {
    firstRow,
    rows: bytes.length / (element.sizeBytes * columns),
    columns,
    bytes,
    numberAt: (row, column) => read((row * columns + column) * element.sizeBytes),
  };
}

function elementReader(element: NpyElement, view: DataView, fileName: string): (offset: number) => number {
  if (element.kind === 'bytes') return () => Number.NaN;
  if (element.kind === 'float') {
    return element.sizeBytes === 4
      ? (offset) => view.getFloat32(offset, true)
      : (offset) => view.getFloat64(offset, true);
  }
  const isSigned = element.kind === 'signed';
  if (element.sizeBytes === 1) return isSigned ? (offset) => view.getInt8(offset) : (offset) => view.getUint8(offset);
  if (element.sizeBytes === 2)
    return isSigned ? (offset) => view.getInt16(offset, true) : (offset) => view.getUint16(offset, true);
  if (element.sizeBytes === 4)
    return isSigned ? (offset) => view.getInt32(offset, true) : (offset) => view.getUint32(offset, true);
  return (offset) => {
    const value = Number(isSigned ? view.getBigInt64(offset, true) : view.getBigUint64(offset, true));
    return Number.isSafeInteger(value) ? value : refuse(fileName, 'holds an integer beyond 2^53');
  };
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function refuse(fileName: string, what: string): never {
  throw new FleetError('SOURCE_FORMAT', `${fileName} ${what}`, { details: { file: fileName } });
}
