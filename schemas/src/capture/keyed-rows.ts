/**
 * From lines of the form `stamp;key;value` to messages: what loggers of OBD dongles and phones write. Each line says by its key what its
 * values are; there is no header, and some lines in front of the first stamp tell people what the keys mean.
 */
import { FleetError } from '../errors/fleet-error.ts';
import { type CsvRowReader, numberOf, type RowContext, startPlans, timeOf } from './csv-rows.ts';
import type { CsvRow } from './csv-tokenizer.ts';
import type { ColumnChannelMapping, CsvFileMapping } from './mapping-formats.ts';
import { type ChannelPlan, makeSignalMessage, planChannel } from './signal-plan.ts';
import type { ReportCounter } from './source.ts';
import type { SourceMessage } from './source-message.ts';
import { makeStampClock } from './stamps.ts';
import type { TextLine } from './text-lines.ts';
import { parseTimeNs } from './time-parser.ts';

export type KeyedLines = NonNullable<CsvFileMapping['keyed']>;

/** Lines in front of the first stamp. */
export const PREAMBLE_LINES_MAX = 64;
/** Most parts of one value. */
export const PARTS_MAX = 256;
/** Cells in front of the parts: stamp and key. */
const FIRST_PART = 2;

type PartSignal = ColumnChannelMapping['signals'][number] & { readonly index: number };
type KeyedPlan = { readonly key: string; readonly plan: ChannelPlan<PartSignal> };

/** The cells of a line: its stamp, its key, and the parts of its value. */
export function keyedRow({ line, text }: TextLine, { separator, parts }: KeyedLines): CsvRow {
  const [stamp = '', key = '', ...values] = text.split(separator);
  return { line, cells: [stamp, key, ...values.join(separator).split(parts)] };
}

/**
 * Lines of keys that no channel names are left out.
 * @throws FleetError `MAPPING_INVALID` for a channel over several keys
 */
export function makeKeyedRowReader(mapping: CsvFileMapping, fileName: string, counter: ReportCounter): CsvRowReader {
  const plans = mapping.channels.map(planKeyed);
  return {
    fileName,
    channels: plans.map(({ plan }) => plan.channel),
    unusedColumns: [],
    start: () => startLines({ mapping, fileName, plans, counter }),
  };
}

function planKeyed(channel: ColumnChannelMapping): KeyedPlan {
  const places = channel.signals.map(({ column }) => placeOf(column));
  const [first] = places;
  const other = places.find(({ key }) => key !== first?.key);
  if (first === undefined || other !== undefined)
    throw new FleetError(
      'MAPPING_INVALID',
      `topic ${channel.topic} is made of lines of ${first?.key} and of ${other?.key}: give each key a topic of its own`,
    );
  const signals = channel.signals.map((signal, at) => ({ ...signal, index: places[at]?.index ?? FIRST_PART }));
  return { key: first.key, plan: planChannel({ ...channel, signals }) };
}

/** `gps:1` is the second part of the values under `gps`; without a number it is the first. */
function placeOf(column: string): { readonly key: string; readonly index: number } {
  const [, key = column, part = '0'] = /^(.+):(\d{1,3})$/.exec(column) ?? [];
  return { key, index: FIRST_PART + Number(part) };
}

type Lines = {
  readonly mapping: CsvFileMapping;
  readonly fileName: string;
  readonly plans: readonly KeyedPlan[];
  readonly counter: ReportCounter;
};

function startLines({ mapping, fileName, plans, counter }: Lines): (row: CsvRow) => readonly SourceMessage[] {
  const clock = makeStampClock(mapping.time);
  counter.clock(
    plans.map(({ plan }) => plan.channel.topic),
    clock,
  );
  const started = startPlans(plans.map(({ plan }) => plan));
  const missing: ReadonlySet<string> = new Set(mapping.missing);
  const contexts = new Map(plans.map(({ key }) => [key, contextOf(mapping, fileName, key)] as const));
  const ofStamp = contextOf(mapping, fileName, '');
  let previousNs: bigint | undefined;
  let preamble = 0;
  return (row) => {
    const isPreamble = previousNs === undefined && parseTimeNs(row.cells[0] ?? '', mapping.time.kind) === undefined;
    if (isPreamble && preamble < PREAMBLE_LINES_MAX) {
      preamble += 1;
      return [];
    }
    const timeNs = clock.toUtcNs(timeOf(ofStamp, row));
    counter.row(fileName, row.line, timeNs, previousNs);
    previousNs = timeNs;
    const key = row.cells[1] ?? '';
    const context = contexts.get(key);
    if (context === undefined) return [];
    const own = started.filter((_, index) => plans[index]?.key === key);
    return own.flatMap((plan) => {
      const message = makeSignalMessage(plan, timeNs, ({ index }) => partOf(context, missing, row, index));
      if (message === undefined) counter.empty();
      return message ?? [];
    });
  };
}

function partOf(context: RowContext, missing: ReadonlySet<string>, row: CsvRow, index: number): number {
  if (index < row.cells.length) return numberOf(context, missing, row, index);
  const { fileName, columns } = context;
  throw new FleetError(
    'SOURCE_ROW_INVALID',
    `${fileName}, line ${row.line} has ${row.cells.length - FIRST_PART} values; ${columns[index]} is not among them`,
    { details: { file: fileName, line: row.line, column: columns[index] ?? '' } },
  );
}

/** Names of the cells, for what is said of one that is wrong. */
function contextOf(mapping: CsvFileMapping, fileName: string, key: string): RowContext {
  const parts = Array.from({ length: PARTS_MAX }, (_, index) => `${key}:${index}`);
  return { mapping, fileName, columns: [mapping.time.column, 'key', ...parts], timeIndex: 0 };
}
