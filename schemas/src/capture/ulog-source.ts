/**
 * Reads a PX4 ULog as one drive session. Each topic becomes a channel of JSON messages, `/ulog/<name>` (further instances `/ulog/<name>/<n>`);
 * a mapping reads signals out of them. Stamps are time since boot. What the file says of itself (information, parameters) is a latched
 * channel, so that each recording carries it; dropouts of the logger are reported, and are messages at their time.
 */
import type { OpaqueChannel } from './channel.ts';
import type { UlogMapping } from './mapping-formats.ts';
import { planMessageSignals } from './message-signals.ts';
import { reorder } from './reorder.ts';
import type { SourceFiles } from './source-files.ts';
import type { SourceMessage } from './source-message.ts';
import { nameSession, splitPath, stemOf, wordsOfPath } from './source-name.ts';
import { BATCH_MESSAGES_MAX, makeReportCounter, type Source } from './source.ts';
import { DEFINITIONS_CHANNEL, DROPOUT_CHANNEL, LOG_CHANNEL, type UlogContext, UlogMessages } from './ulog-messages.ts';
import { readUlogRecords } from './ulog-records.ts';
import { makeUlogSession, type UlogSession } from './ulog-session.ts';

export type UlogSourceOptions = {
  readonly mapping: UlogMapping | undefined;
  readonly sourcePath: string;
  readonly files: SourceFiles;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Opens a log; its description is what stands before its first data.
 * @throws FleetError `SOURCE_NOT_FOUND`, `MAPPING_INVALID`; while reading `SOURCE_FORMAT` with the byte of the damage and
 * `SOURCE_VALUE_INVALID` for a field that is no number, each after all that came before it
 */
export async function openUlogSource({ mapping, sourcePath, files, signal }: UlogSourceOptions): Promise<Source> {
  const { name: fileName } = splitPath(sourcePath);
  const signals = planMessageSignals(mapping?.channels ?? []);
  const counter = makeReportCounter();
  const found = await readDefinitions(files.read(sourcePath), fileName);
  const context: UlogContext = { fileName, mapping, signals, counter };
  return {
    description: {
      ...nameSession(mapping?.session, wordsOfPath(sourcePath, mapping?.fileName), {
        session: stemOf(fileName),
        attributes: found.attributes(),
      }),
      channels: [
        DEFINITIONS_CHANNEL,
        ...found.topics().map((topic) => topic.channel),
        LOG_CHANNEL,
        DROPOUT_CHANNEL,
        ...signals.channels,
      ],
      files: [sourcePath],
      unusedColumns: [],
      remarks: [],
    },
    batches: () => reorder(readMessages(files.read(sourcePath, signal), context, channelsOf(found))),
    report: counter.report,
  };
}

/** The definitions up to the first data. Damage ends them without a word: it comes up again when the messages are read. */
async function readDefinitions(pieces: AsyncIterable<Uint8Array>, fileName: string): Promise<UlogSession> {
  const session = makeUlogSession();
  try {
    for await (const { type, content } of readUlogRecords(pieces, fileName)) {
      if (type === 'D') break;
      session.define(type, content);
    }
  } catch {
    return session;
  }
  return session;
}

/** The channel objects of the description, so that messages carry the same ones. */
function channelsOf(session: UlogSession): ReadonlyMap<string, OpaqueChannel> {
  return new Map(session.topics().map((topic) => [topic.key, topic.channel]));
}

async function* readMessages(
  pieces: AsyncIterable<Uint8Array>,
  context: UlogContext,
  described: ReadonlyMap<string, OpaqueChannel>,
): AsyncGenerator<readonly SourceMessage[], void, undefined> {
  const messages = new UlogMessages(context, described);
  let batch: SourceMessage[] = [];
  let failure: unknown;
  try {
    for await (const record of readUlogRecords(pieces, context.fileName)) {
      batch.push(...messages.read(record));
      if (batch.length < BATCH_MESSAGES_MAX) continue;
      context.counter.messages(batch.length);
      yield batch;
      batch = [];
    }
  } catch (error) {
    failure = error;
  }
  context.counter.messages(batch.length);
  if (batch.length > 0) yield batch;
  if (failure !== undefined) throw failure;
}
