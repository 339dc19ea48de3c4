/** From stored Parquet values to numbers and stamps, by the logical type of their column. */
import { FleetError } from '../errors/fleet-error.ts';
import type { ParquetValue } from './parquet-page.ts';
import type { TableColumn } from './parquet-table.ts';
import { isDecimalKind, parseTimeNs, secondsToNs, type TimeKind } from './time-parser.ts';

const TEXT = new TextDecoder();
const NS_PER = { seconds: 1_000_000_000n, milliseconds: 1_000_000n, microseconds: 1_000n, nanoseconds: 1n } as const;
const TIMESTAMP_UNITS: Readonly<Record<string, keyof typeof NS_PER>> = {
  MILLIS: 'milliseconds',
  MICROS: 'microseconds',
  NANOS: 'nanoseconds',
  TIMESTAMP_MILLIS: 'milliseconds',
  TIMESTAMP_MICROS: 'microseconds',
};

/** Makes the conversion of a column of numbers; a null is NaN. @throws FleetError SOURCE_FORMAT for a column of anything else */
export function numberConversion({ name, element }: TableColumn, fileName: string): (value: ParquetValue) => number {
  const { type, converted_type: converted, scale } = element;
  if (type === 'BYTE_ARRAY' || type === 'FIXED_LEN_BYTE_ARRAY' || type === 'INT96')
    return refuse(fileName, name, `holds ${type} values; a signal needs numbers or booleans`);
  const factor = converted === 'DECIMAL' ? 10 ** -(scale ?? 0) : 1;
  const isUnsigned =
    converted?.startsWith('UINT_') === true ||
    (element.logical_type?.type === 'INTEGER' && !element.logical_type.isSigned);
  return (value) => {
    if (value === null || value instanceof Uint8Array) return Number.NaN;
    if (typeof value === 'bigint') return Number(isUnsigned ? BigInt.asUintN(64, value) : value) * factor;
    const number = Number(value);
    return (isUnsigned && number < 0 ? number + 2 ** 32 : number) * factor;
  };
}

/** Makes the conversion of the column of stamps; undefined for a value that is no time. @throws FleetError SOURCE_FORMAT */
export function stampConversion(
  { name, element }: TableColumn,
  kind: TimeKind | 'timestamp',
  fileName: string,
): (value: ParquetValue) => bigint | undefined {
  if (kind === 'timestamp') {
    const logical = element.logical_type;
    const unitName = logical?.type === 'TIMESTAMP' ? logical.unit : element.converted_type;
    const unit = TIMESTAMP_UNITS[unitName ?? ''];
    if (unit === undefined) return refuse(fileName, name, 'is no TIMESTAMP: name how its stamps are written');
    return (value) => (typeof value === 'bigint' ? value * NS_PER[unit] : undefined);
  }
  if (element.type === 'BYTE_ARRAY')
    return (value) => (value instanceof Uint8Array ? parseTimeNs(TEXT.decode(value), kind) : undefined);
  if (!isDecimalKind(kind)) return refuse(fileName, name, `holds numbers, not texts (${kind})`);
  return (value) => {
    if (typeof value === 'bigint') return value * NS_PER[kind];
    return typeof value === 'number' ? secondsToNs(value / Number(1_000_000_000n / NS_PER[kind])) : undefined;
  };
}

function refuse(file: string, column: string, what: string): never {
  throw new FleetError('SOURCE_FORMAT', `${file}: column "${column}" ${what}`, { details: { file, column } });
}
