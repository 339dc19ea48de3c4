/**
 * Puts the chosen records of the ring into an MCAP file, block by block, wherever the blocks are. A block that is needed whole becomes
 * a chunk as it is, compressed long ago; only what is cut out of a block is compressed here.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FleetError, type RecordingMetadata } from '@fleetloop/schemas';
import { McapWriter, RECORDING_LIBRARY, toMetadataRecords } from '@fleetloop/schemas/recording';
import type { ByteSink } from '../ports.ts';
import type { ChannelTable } from './channel-table.ts';
import type { ContextRecord } from './latched-context.ts';
import { moveRecordTo } from './message-record.ts';
import type { PackedBlock } from './packed-block.ts';
import type { SelectedRuns } from './selection.ts';

/** Bytes handed on before others get their turn, so that a long recording does not hold up the capture of what comes next. */
const TURN_BYTES = 1024 * 1024;
/** Blocks that are read or compressed while the one before them is written. */
const FETCHED_AHEAD = 3;

/** What goes into one file. */
export type RecordingContent = {
  readonly metadata: RecordingMetadata;
  readonly channels: ChannelTable;
  /** Ids of the channels that the messages name, in the order in which they first appear. */
  readonly channelIds: Iterable<number>;
  /** Latched messages, put at the start. */
  readonly context: readonly ContextRecord[];
  readonly startNs: bigint;
  readonly pieces: readonly SelectedRuns[];
};

/**
 * Writes the whole file. Equal content gives equal bytes. A block that its disk does not give back any more costs its own messages:
 * the file says so in a metadata record `fleet.damage`.
 * @throws what the sink throws
 */
export async function writeRecordingFile(
  sink: ByteSink,
  content: RecordingContent,
): Promise<{ readonly sizeBytes: number }> {
  const writer = new McapWriter(sink, { compression: 'zstd', library: RECORDING_LIBRARY });
  for (const record of toMetadataRecords(content.metadata)) writer.addMetadata(record);
  const ids = [...content.context.map((record) => record.channelId), ...content.channelIds];
  for (const id of new Set(ids)) registerChannel(writer, content.channels, id);
  for (const { bytes } of content.context) {
    const moved = bytes.slice();
    moveRecordTo(new DataView(moved.buffer), 0, content.startNs);
    writer.addMessageRecords(moved);
  }
  await writePieces(writer, content.pieces);
  const { sizeBytes } = await writer.close();
  return { sizeBytes };
}

async function writePieces(writer: McapWriter, pieces: readonly SelectedRuns[]): Promise<void> {
  const lost: string[] = [];
  let turnBytes = 0;
  for await (const { piece, bytes } of fetched(pieces)) {
    if (bytes instanceof FleetError) {
      lost.push(`${piece.block.messages} messages: ${bytes.message}`);
      continue;
    }
    const hasRoom = bytes instanceof Uint8Array ? addRuns(writer, bytes, piece.runs) : addWhole(writer, bytes, piece);
    if (!hasRoom) await writer.drain();
    turnBytes += bytes instanceof Uint8Array ? bytes.length : bytes.bytes.length;
    if (turnBytes < TURN_BYTES) continue;
    turnBytes = 0;
    await nextTurn();
  }
  if (lost.length > 0)
    writer.addMetadata({ name: 'fleet.damage', metadata: new Map([['blocks', JSON.stringify(lost)]]) });
}

/** Records of a block, the whole block packed, or why the disk does not give it back. */
type Fetched = Uint8Array | PackedBlock | FleetError;

/** What the pieces are made of, in their order; the next ones are on their way while one is written. */
async function* fetched(
  pieces: readonly SelectedRuns[],
): AsyncGenerator<{ readonly piece: SelectedRuns; readonly bytes: Fetched }> {
  const ahead: Promise<Fetched>[] = [];
  for (const [index, piece] of pieces.entries()) {
    for (const next of pieces.slice(index + ahead.length, index + FETCHED_AHEAD)) {
      const bytes = fetchOne(next);
      // Looked at in its turn; when an earlier one fails, nobody looks any more.
      bytes.catch(() => undefined);
      ahead.push(bytes);
    }
    const bytes = await ahead.shift();
    if (bytes !== undefined) yield { piece, bytes };
  }
}

async function fetchOne({ block, isWhole }: SelectedRuns): Promise<Fetched> {
  try {
    return await (isWhole ? block.packed() : block.load());
  } catch (cause) {
    const error = FleetError.from(cause);
    if (error.code !== 'SPOOL_CORRUPT') throw cause;
    return error;
  }
}

function addRuns(writer: McapWriter, bytes: Uint8Array, runs: readonly number[]): boolean {
  let hasRoom = true;
  for (let index = 0; index < runs.length; index += 2)
    hasRoom = writer.addMessageRecords(bytes.subarray(runs[index], runs[index + 1]));
  return hasRoom;
}

function addWhole(writer: McapWriter, packed: PackedBlock, { block, columns }: SelectedRuns): boolean {
  const { compression, bytes, crc, rawBytes, rawCrc } = packed;
  const { count, channelIds, times, starts: offsets } = columns;
  return writer.addChunk({
    compression,
    bytes,
    bytesCrc: crc,
    uncompressedBytes: rawBytes,
    uncompressedCrc: rawCrc,
    rows: { count, channelIds, times, offsets, baseNs: block.base.ns },
  });
}

/** The messages carry the ids of the session. */
function registerChannel(writer: McapWriter, channels: ChannelTable, id: number): void {
  const { schema, channel } = channels.definitionOf(id);
  const schemaId = schema === undefined ? 0 : writer.registerSchema(schema);
  writer.registerChannel({ ...channel, schemaId });
}
