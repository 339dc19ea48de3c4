/** Reads the Parquet files of one drive session as messages: the same mapping as for CSV, columns found by name. */
import { FleetError } from '../errors/fleet-error.ts';
import type { SignalChannel } from './channel.ts';
import type { ColumnChannelMapping, ParquetFileMapping, ParquetMapping } from './mapping-formats.ts';
import { mergeByTime } from './merge.ts';
import type { ParquetValue } from './parquet-page.ts';
import { openParquetTable, type ParquetTable, type TableColumn } from './parquet-table.ts';
import { numberConversion, stampConversion } from './parquet-values.ts';
import { findSessionFiles } from './session-files.ts';
import { type ChannelPlan, makeSignalMessage, planChannel } from './signal-plan.ts';
import type { SourceFiles } from './source-files.ts';
import type { SourceMessage } from './source-message.ts';
import { nameSession, splitPath } from './source-name.ts';
import { BATCH_MESSAGES_MAX, makeReportCounter, type ReportCounter, type Source } from './source.ts';
import { makeStampClock } from './stamps.ts';

type ColumnSignal = ColumnChannelMapping['signals'][number] & {
  readonly index: number;
  readonly toNumber: (value: ParquetValue) => number;
};

export type ParquetSourceOptions = {
  readonly mapping: ParquetMapping;
  /** One file of the session; the mapping names the others. */
  readonly sourcePath: string;
  readonly files: SourceFiles;
  readonly signal?: AbortSignal | undefined;
};

/** One file with its columns found. */
type OpenTable = {
  readonly fileName: string;
  readonly mapping: ParquetFileMapping;
  readonly table: ParquetTable;
  /** The stamps' column first, then those of the signals. */
  readonly names: readonly string[];
  readonly plans: readonly ChannelPlan<ColumnSignal>[];
  readonly toStampNs: (value: ParquetValue) => bigint | undefined;
};

/**
 * Opens a session: finds its files, reads every footer, and checks the columns.
 * @throws FleetError `SOURCE_NOT_FOUND`, `SOURCE_FORMAT`, `SOURCE_COLUMN_MISSING`, `MAPPING_INVALID`; while reading `SOURCE_FORMAT` with the
 * byte of the page and `SOURCE_VALUE_INVALID` with the row, each after all rows before it
 */
export async function openParquetSource(options: ParquetSourceOptions): Promise<Source> {
  const { mapping, sourcePath, files, signal } = options;
  const { opened, words } = await findSessionFiles(mapping.files, sourcePath, files);
  const tables = await Promise.all(opened.map(async (file) => openTable(file.mapping, file.path, files)));
  const counter = makeReportCounter();
  return {
    description: {
      ...nameSession(mapping.session, words, { session: '', attributes: {} }),
      channels: tables.flatMap(({ plans }) => plans.map((plan): SignalChannel => plan.channel)),
      files: opened.map((file) => file.path),
      unusedColumns: tables.flatMap(({ fileName, names, table }) =>
        table.columns.filter(({ name }) => !names.includes(name)).map(({ name }) => `${fileName}:${name}`),
      ),
      remarks: [],
    },
    batches: () => mergeByTime(tables.map((table) => readMessages(table, counter, signal))),
    report: counter.report,
  };
}

async function openTable(mapping: ParquetFileMapping, path: string, files: SourceFiles): Promise<OpenTable> {
  const { name: fileName } = splitPath(path);
  const table = await openParquetTable(path, fileName, files);
  const columnOf = (name: string): TableColumn => {
    const column = table.columns.find((candidate) => candidate.name === name);
    if (column !== undefined) return column;
    const has = table.columns.map((candidate) => candidate.name).join(', ');
    throw new FleetError('SOURCE_COLUMN_MISSING', `${fileName} has no column "${name}"; it has ${has}`, {
      details: { file: fileName, column: name },
    });
  };
  const names = [
    ...new Set([
      mapping.time.column,
      ...mapping.channels.flatMap((channel) => channel.signals.map((signal) => signal.column)),
    ]),
  ];
  const plans = mapping.channels.map((channel) =>
    planChannel({
      ...channel,
      signals: channel.signals.map((signal): ColumnSignal => {
        const toNumber = numberConversion(columnOf(signal.column), fileName);
        return { ...signal, index: names.indexOf(signal.column), toNumber };
      }),
    }),
  );
  const toStampNs = stampConversion(columnOf(mapping.time.column), mapping.time.kind, fileName);
  return { fileName, mapping, table, names, plans, toStampNs };
}

async function* readMessages(
  { fileName, mapping, table, names, plans, toStampNs }: OpenTable,
  counter: ReportCounter,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly SourceMessage[], void, undefined> {
  const running = plans.map((plan) => ({ ...plan, sequence: 0 }));
  const clock = makeStampClock(mapping.time);
  counter.clock(
    plans.map((plan) => plan.channel.topic),
    clock,
  );
  let row = 0;
  let previousNs: bigint | undefined;
  let batch: SourceMessage[] = [];
  for await (const columns of table.rows(names)) {
    signal?.throwIfAborted();
    const [stamps = []] = columns;
    for (let index = 0; index < stamps.length; index += 1) {
      const stampNs = toStampNs(stamps[index] ?? null);
      if (stampNs === undefined) {
        counter.messages(batch.length);
        if (batch.length > 0) yield batch;
        throw refuseStamp(fileName, row, mapping.time.kind);
      }
      const timeNs = clock.toUtcNs(stampNs);
      counter.row(fileName, row, timeNs, previousNs);
      previousNs = timeNs;
      row += 1;
      for (const plan of running) {
        const message = makeSignalMessage(plan, timeNs, (wanted) =>
          wanted.toNumber(columns[wanted.index]?.[index] ?? null),
        );
        if (message === undefined) counter.empty();
        else batch.push(message);
      }
      if (batch.length < BATCH_MESSAGES_MAX) continue;
      counter.messages(batch.length);
      yield batch;
      batch = [];
    }
  }
  counter.messages(batch.length);
  if (batch.length > 0) yield batch;
  if (row === 0) throw new FleetError('SOURCE_EMPTY', `${fileName} has no rows`, { details: { file: fileName } });
}

function refuseStamp(file: string, row: number, kind: string): FleetError {
  const details = { file, row };
  return new FleetError('SOURCE_VALUE_INVALID', `${file}, row ${row}: the stamp is not a time (${kind})`, { details });
}
