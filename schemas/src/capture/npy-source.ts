/** Reads a folder of NumPy arrays (one drive session) as messages: measured arrays as signals, raw CAN as frames and signals. */
import { FleetError } from '../errors/fleet-error.ts';
import type { Channel } from './channel.ts';
import type { SourceMessage } from './source-message.ts';
import { type CanReader, makeCanReader } from './can-reader.ts';
import type { NpyArrayMapping, NpyCanMapping, NpyMapping } from './mapping-formats.ts';
import { mergeByTime } from './merge.ts';
import { fillTemplate, matchTemplate } from './name-template.ts';
import { startNpyFrames } from './npy-can.ts';
import { type NpyBatch, readNpy } from './npy-reader.ts';
import type { SourceFiles } from './source-files.ts';
import { makeSignalMessage, planChannel } from './signal-plan.ts';
import { BATCH_MESSAGES_MAX, makeReportCounter, type ReportCounter, type Source } from './source.ts';
import { makeStampClock } from './stamps.ts';
import { secondsToNs } from './time-parser.ts';

/** Rows read at once from each array of a group. */
const BATCH_ROWS = 128;

export type NpySourceOptions = {
  readonly mapping: NpyMapping;
  /** The folder that holds the arrays. */
  readonly sourcePath: string;
  /** The folder of the mapping file, which DBC files are named from. */
  readonly mappingFolder: string;
  readonly files: SourceFiles;
  readonly signal?: AbortSignal | undefined;
};

type Context = NpySourceOptions & { readonly counter: ReportCounter };
type Messages = AsyncGenerator<readonly SourceMessage[], void, undefined>;
/** Makes the messages of one row. */
type RowReader = (batches: readonly NpyBatch[], row: number, timeNs: bigint) => readonly SourceMessage[];
/** Arrays that are read in step, the first being the stamps. */
type Group = {
  readonly names: readonly string[];
  readonly channels: readonly Channel[];
  readonly start: () => RowReader;
};

/**
 * Opens a folder of arrays.
 * @throws FleetError `SOURCE_NOT_FOUND`, `SOURCE_FORMAT`, `DBC_INVALID`, `MAPPING_INVALID`; while reading also `SOURCE_VALUE_INVALID`
 * for a stamp that is not finite.
 */
export async function openNpySource(options: NpySourceOptions): Promise<Source> {
  const { mapping } = options;
  const parts = options.sourcePath.replace(/\/+$/, '').split('/');
  const words = matchTemplate(mapping.folderName, parts.at(-1) ?? '');
  if (words === undefined) {
    throw new FleetError(
      'SOURCE_FORMAT',
      `${options.sourcePath} is not named like the folder of the mapping (${mapping.folderName})`,
    );
  }
  const all = { ...words, folder: parts.at(-2) ?? '' };
  const counter = makeReportCounter();
  const context: Context = { ...options, counter };
  const can = mapping.can === undefined ? undefined : await makeCanReader(mapping.can, options);
  const groups = [
    ...mapping.arrays.map(arrayGroup),
    ...(can === undefined || mapping.can === undefined ? [] : [canGroup(can, mapping.can)]),
  ];
  const paths = await Promise.all(
    groups.map((group) => Promise.all(group.names.map((name) => findArray(context, name)))),
  );
  const attributes = Object.entries(mapping.session.attributes);
  return {
    description: {
      session: fillTemplate(mapping.session.name, all),
      attributes: Object.fromEntries(attributes.map(([key, value]) => [key, fillTemplate(value, all)])),
      channels: groups.flatMap((group) => group.channels),
      files: paths.flat(),
      unusedColumns: [],
      remarks: can?.remarks ?? [],
    },
    batches: () => mergeByTime(groups.map((group, index) => readGroup(context, group, paths[index] ?? []))),
    report: counter.report,
  };
}

async function findArray(context: Context, name: string): Promise<string> {
  const plain = `${context.sourcePath.replace(/\/+$/, '')}/${name}.npy`;
  const path = await context.files.findFirst([plain, `${plain}.zst`]);
  if (path !== undefined) return path;
  throw new FleetError('SOURCE_NOT_FOUND', `${plain} does not exist, and no ${plain}.zst; the mapping names it`);
}

function arrayGroup(mapping: NpyArrayMapping): Group {
  const plans = mapping.channels.map((channel) => planChannel(channel));
  return {
    names: [mapping.time, mapping.values],
    channels: plans.map((plan) => plan.channel),
    start: () => {
      const running = plans.map((plan) => ({ ...plan, sequence: 0 }));
      return ([, values], row, timeNs) => {
        if (values === undefined) throw new Error('an array group without values');
        const made = running.map((plan) =>
          makeSignalMessage(plan, timeNs, ({ column }) => valueAt(values, row, column, mapping.values)),
        );
        return made.filter((message) => message !== undefined);
      };
    },
  };
}

function valueAt(values: NpyBatch, row: number, column: number, name: string): number {
  if (column < values.columns) return values.numberAt(row, column);
  throw new FleetError(
    'SOURCE_COLUMN_MISSING',
    `${name} has ${values.columns} columns; the mapping names column ${column}`,
  );
}

function canGroup(can: CanReader, mapping: NpyCanMapping): Group {
  return {
    names: [mapping.time, mapping.bus, mapping.address, mapping.data],
    channels: [...mapping.buses.map(can.rawChannel), ...can.signalChannels],
    start: () => startNpyFrames(can, mapping),
  };
}

async function* readGroup(context: Context, group: Group, paths: readonly string[]): Messages {
  const name = group.names[0] ?? '';
  const streams = paths.map((path) =>
    readNpy(context.files.read(path, context.signal), path.split('/').slice(-3).join('/'), BATCH_ROWS),
  );
  const readRow = group.start();
  const clock = makeStampClock(context.mapping.time);
  context.counter.clock(
    group.channels.map((channel) => channel.topic),
    clock,
  );
  let previousNs: bigint | undefined;
  let batch: SourceMessage[] = [];
  try {
    for await (const batches of inStep(streams, group.names)) {
      const [stamps] = batches;
      for (let row = 0; stamps !== undefined && row < stamps.rows; row += 1) {
        const timeNs = clock.toUtcNs(stampAt(stamps, row, name));
        context.counter.row(name, stamps.firstRow + row, timeNs, previousNs);
        previousNs = timeNs;
        const made = readRow(batches, row, timeNs);
        if (made.length === 0) context.counter.empty();
        batch.push(...made);
      }
      context.counter.messages(batch.length);
      if (batch.length > 0) yield batch.splice(0, BATCH_MESSAGES_MAX);
      while (batch.length > 0) yield batch.splice(0, BATCH_MESSAGES_MAX);
      batch = [];
    }
  } finally {
    await Promise.all(streams.map((stream) => stream.return()));
  }
}

function stampAt(stamps: NpyBatch, row: number, name: string): bigint {
  const seconds = stamps.numberAt(row, 0);
  const timeNs = secondsToNs(seconds);
  if (timeNs !== undefined) return timeNs;
  const details = { file: name, row: stamps.firstRow + row };
  throw new FleetError('SOURCE_VALUE_INVALID', `${name}, row ${details.row}: ${seconds} is not a time`, { details });
}

/** Batches of the same rows from all arrays; arrays of different length are refused. */
async function* inStep(
  streams: readonly AsyncGenerator<NpyBatch>[],
  names: readonly string[],
): AsyncGenerator<readonly NpyBatch[]> {
  while (true) {
    const results = await Promise.all(streams.map((stream) => stream.next()));
    const batches = results.filter((result) => result.done !== true).map((result) => result.value);
    if (batches.length === 0) return;
    if (batches.length < streams.length || batches.some((batch) => batch.rows !== batches[0]?.rows)) {
      throw new FleetError('SOURCE_FORMAT', `arrays ${names.join(', ')} do not have the same number of rows`);
    }
    yield batches;
  }
}
