/** From rows of one CSV file to messages: columns are found once by the header, then each cell is checked and converted. */
import { FleetError } from '../errors/fleet-error.ts';
import type { SignalChannel } from './channel.ts';
import type { SourceMessage } from './source-message.ts';
import type { CsvRow } from './csv-tokenizer.ts';
import type { ColumnChannelMapping, CsvFileMapping } from './mapping-formats.ts';
import { type ChannelPlan, makeSignalMessage, planChannel } from './signal-plan.ts';
import type { ReportCounter } from './source.ts';
import { makeStampClock } from './stamps.ts';
import { parseTimeNs } from './time-parser.ts';

/** Most columns of a file. */
export const CSV_COLUMNS_MAX = 4096;
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$/;

type ColumnSignal = ColumnChannelMapping['signals'][number];
type RowSignal = ColumnSignal & { readonly index: number };

/** Knows the header of one file. */
export type CsvRowReader = {
  readonly fileName: string;
  readonly channels: readonly SignalChannel[];
  readonly unusedColumns: readonly string[];
  /** Starts at the first row; the function returned takes the rows in order. */
  readonly start: () => (row: CsvRow) => readonly SourceMessage[];
};

/**
 * Matches a header with its mapping.
 * @throws FleetError `SOURCE_COLUMN_MISSING`, `SOURCE_COLUMN_DUPLICATE`, `SOURCE_LIMIT`, `MAPPING_INVALID`
 */
export function makeCsvRowReader(
  mapping: CsvFileMapping,
  { fileName, header }: { readonly fileName: string; readonly header: CsvRow },
  counter: ReportCounter,
): CsvRowReader {
  const columns = header.cells;
  checkHeader(columns, fileName);
  const indexOf = (column: string): number => {
    const index = columns.indexOf(column);
    if (index !== -1) return index;
    const details = { file: fileName, line: header.line, column };
    throw new FleetError(
      'SOURCE_COLUMN_MISSING',
      `${fileName} has no column "${column}"; it has ${columns.join(', ')}`,
      { details },
    );
  };
  const timeIndex = indexOf(mapping.time.column);
  const mapped = mapping.channels.map((channel) => ({
    ...channel,
    signals: channel.signals.map((signal): RowSignal => ({ ...signal, index: indexOf(signal.column) })),
  }));
  const plans = mapped.map((channel) => planChannel(channel));
  const used = new Set([
    mapping.time.column,
    ...mapped.flatMap((channel) => channel.signals.map((signal) => signal.column)),
  ]);
  return {
    fileName,
    channels: plans.map((plan) => plan.channel),
    unusedColumns: columns.filter((column) => !used.has(column)),
    start: () => startRows({ mapping, fileName, columns, timeIndex, plans, counter }),
  };
}

function checkHeader(columns: readonly string[], fileName: string): void {
  const details = { file: fileName, line: 1 };
  if (columns.length > CSV_COLUMNS_MAX) {
    throw new FleetError('SOURCE_LIMIT', `${fileName} has ${columns.length} columns, more than ${CSV_COLUMNS_MAX}`, {
      details,
    });
  }
  const repeated = columns.find((column, index) => columns.indexOf(column) !== index);
  if (repeated === undefined) return;
  throw new FleetError('SOURCE_COLUMN_DUPLICATE', `${fileName} has the column "${repeated}" twice`, {
    details: { ...details, column: repeated },
  });
}

/** What is said of a cell that is wrong. */
export type RowContext = {
  readonly mapping: CsvFileMapping;
  readonly fileName: string;
  readonly columns: readonly string[];
  readonly timeIndex: number;
};
type TableContext = RowContext & {
  readonly plans: readonly ChannelPlan<RowSignal>[];
  readonly counter: ReportCounter;
};

/** Plans that count from 0. */
export const startPlans = <S extends ColumnSignal>(plans: readonly ChannelPlan<S>[]): readonly ChannelPlan<S>[] =>
  plans.map((plan) => ({ ...plan, sequence: 0 }));

function startRows(context: TableContext): (row: CsvRow) => readonly SourceMessage[] {
  const { columns, fileName, counter, mapping } = context;
  const plans = startPlans(context.plans);
  const clock = makeStampClock(mapping.time);
  counter.clock(
    plans.map((plan) => plan.channel.topic),
    clock,
  );
  const missing: ReadonlySet<string> = new Set(mapping.missing);
  let previousNs: bigint | undefined;
  return (row) => {
    if (row.cells.length !== columns.length) refuseRow(fileName, row, columns.length);
    const timeNs = clock.toUtcNs(timeOf(context, row));
    counter.row(fileName, row.line, timeNs, previousNs);
    previousNs = timeNs;
    const messages: SourceMessage[] = [];
    for (const plan of plans) {
      const message = makeSignalMessage(plan, timeNs, (signal) => numberOf(context, missing, row, signal.index));
      if (message === undefined) counter.empty();
      else messages.push(message);
    }
    return messages;
  };
}

/** @throws FleetError `SOURCE_VALUE_INVALID` */
export function timeOf({ mapping, fileName, timeIndex }: RowContext, row: CsvRow): bigint {
  const cell = row.cells[timeIndex] ?? '';
  const timeNs = parseTimeNs(cell, mapping.time.kind);
  return (
    timeNs ?? refuseCell(fileName, row, { column: mapping.time.column, cell, wanted: `a time (${mapping.time.kind})` })
  );
}

/** @throws FleetError `SOURCE_VALUE_INVALID` */
export function numberOf(context: RowContext, missing: ReadonlySet<string>, row: CsvRow, index: number): number {
  const cell = row.cells[index] ?? '';
  if (missing.has(cell)) return Number.NaN;
  const text = context.mapping.isPadded ? cell.trim() : cell;
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  if (Number.isFinite(value)) return value;
  return refuseCell(context.fileName, row, { column: context.columns[index] ?? '', cell, wanted: 'a finite number' });
}

type Refused = { readonly column: string; readonly cell: string; readonly wanted: string };

function refuseCell(file: string, row: CsvRow, { column, cell, wanted }: Refused): never {
  const shown = cell.length > 40 ? `${cell.slice(0, 40)}…` : cell;
  throw new FleetError(
    'SOURCE_VALUE_INVALID',
    `${file}, line ${row.line}, column "${column}": "${shown}" is not ${wanted}`,
    {
      details: { file, line: row.line, column, cell: shown },
    },
  );
}

function refuseRow(file: string, row: CsvRow, wanted: number): never {
  throw new FleetError(
    'SOURCE_ROW_INVALID',
    `${file}, line ${row.line} has ${row.cells.length} cells; the header has ${wanted}`,
    {
      details: { file, line: row.line, cells: row.cells.length, columns: wanted },
    },
  );
}
