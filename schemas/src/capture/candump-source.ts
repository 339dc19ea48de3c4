/** Reads a candump log as one drive session: every frame as it was, and the signals that the mapping names. */
import { FleetError } from '../errors/fleet-error.ts';
import { parseCandumpLine } from './candump-line.ts';
import { type CanReader, makeCanReader } from './can-reader.ts';
import type { CandumpMapping } from './mapping-formats.ts';
import { reorder } from './reorder.ts';
import type { SourceFiles } from './source-files.ts';
import type { SourceMessage } from './source-message.ts';
import { nameSession, splitPath, stemOf, wordsOfPath } from './source-name.ts';
import { BATCH_MESSAGES_MAX, makeReportCounter, type ReportCounter, type Source } from './source.ts';
import { makeStampClock } from './stamps.ts';
import { readTextLines, type TextLine } from './text-lines.ts';

const BUS_MAX = 255;
/** Interfaces of one log; each stands for a bus. */
const INTERFACES_MAX = 256;

export type CandumpSourceOptions = {
  readonly mapping: CandumpMapping | undefined;
  readonly sourcePath: string;
  /** The folder of the mapping file, which DBC files are named from. */
  readonly mappingFolder: string;
  readonly files: SourceFiles;
  readonly signal?: AbortSignal | undefined;
};

type Context = {
  readonly fileName: string;
  readonly mapping: CandumpMapping | undefined;
  readonly can: CanReader;
  readonly counter: ReportCounter;
};

/**
 * Opens a log. Buses that no mapping names show up as channels with their first frame.
 * @throws FleetError `SOURCE_NOT_FOUND`, `DBC_INVALID`, `MAPPING_INVALID`; while reading `SOURCE_ROW_INVALID` and `SOURCE_LIMIT` with the line,
 * after all frames before it, and `SOURCE_EMPTY`
 */
export async function openCandumpSource(options: CandumpSourceOptions): Promise<Source> {
  const { mapping, sourcePath, files, signal } = options;
  const { name: fileName } = splitPath(sourcePath);
  const can = await makeCanReader(mapping ?? { topic: '/can/{bus}/raw', databases: [], channels: [] }, options);
  const counter = makeReportCounter();
  const buses = [...new Set(Object.values(mapping?.interfaces ?? {}))];
  return {
    description: {
      ...nameSession(mapping?.session, wordsOfPath(sourcePath, mapping?.fileName), {
        session: stemOf(fileName),
        attributes: {},
      }),
      channels: [...buses.map(can.rawChannel), ...can.signalChannels],
      files: [sourcePath],
      unusedColumns: [],
      remarks: can.remarks,
    },
    batches: () => reorder(readFrames(files.read(sourcePath, signal), { fileName, mapping, can, counter })),
    report: counter.report,
  };
}

async function* readFrames(
  pieces: AsyncIterable<Uint8Array>,
  context: Context,
): AsyncGenerator<readonly SourceMessage[], void, undefined> {
  const read = startLines(context);
  let isEmpty = true;
  for await (const lines of readTextLines(pieces, context.fileName)) {
    let batch: SourceMessage[] = [];
    let failure: unknown;
    try {
      for (const line of lines) batch.push(...read(line));
    } catch (error) {
      failure = error;
    }
    if (batch.length > 0) isEmpty = false;
    context.counter.messages(batch.length);
    while (batch.length > 0) {
      yield batch.slice(0, BATCH_MESSAGES_MAX);
      batch = batch.slice(BATCH_MESSAGES_MAX);
    }
    if (failure !== undefined) throw failure;
  }
  if (!isEmpty) return;
  const details = { file: context.fileName };
  throw new FleetError('SOURCE_EMPTY', `${context.fileName} holds no frame`, { details });
}

function startLines({ fileName, mapping, can, counter }: Context): (line: TextLine) => readonly SourceMessage[] {
  const readFrame = can.start();
  const busOf = makeBusNumbers(mapping?.interfaces ?? {});
  const clock = makeStampClock(mapping?.time ?? {});
  counter.clock(
    can.signalChannels.map((channel) => channel.topic),
    clock,
  );
  let previousNs: bigint | undefined;
  return ({ line, text }) => {
    if (text.trim() === '') return [];
    const refuse = (what: string): never => {
      const details = { file: fileName, line };
      throw new FleetError('SOURCE_ROW_INVALID', `${fileName}, line ${line}: ${what}`, { details });
    };
    const frame = parseCandumpLine(text);
    if (typeof frame === 'string') return refuse(frame);
    const bus = busOf(frame.interface);
    if (typeof bus === 'string') return refuse(bus);
    const timeNs = clock.toUtcNs(frame.stampNs);
    counter.row(fileName, line, timeNs, previousNs);
    previousNs = timeNs;
    const { id, data, flags, remoteSizeBytes } = frame;
    return readFrame({ bus, id, data, flags, remoteSizeBytes }, timeNs);
  };
}

/** The mapping's number of an interface, or the one at the end of its name as long as no other interface has it. */
function makeBusNumbers(declared: Readonly<Record<string, number>>): (name: string) => number | string {
  const numbers = new Map(Object.entries(declared));
  return (name) => {
    const known = numbers.get(name);
    if (known !== undefined) return known;
    const bus = Number(/(\d{1,3})$/.exec(name)?.[1] ?? Number.NaN);
    const isTaken = [...numbers.values()].includes(bus);
    if (Number.isNaN(bus) || bus > BUS_MAX || isTaken || numbers.size >= INTERFACES_MAX)
      return `interface ${name} gives no bus number of its own: name it under "interfaces" of a mapping`;
    numbers.set(name, bus);
    return bus;
  };
}
