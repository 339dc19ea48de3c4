/** What is lost of a damaged chunk, as far as its index and the message indexes behind it tell. */
import { FieldReader } from './mcap-bytes.ts';
import type { McapChunkIndex, McapMessageIndex } from './mcap-fields.ts';
import type { SalvagedChunk } from './salvage-chunk.ts';
import type { Definitions } from './salvage-definitions.ts';
import type { SalvageLoss } from './salvage-tally.ts';

export type DamagedChunk = {
  readonly chunk: SalvagedChunk;
  /** The messages that are kept of it. */
  readonly contents: readonly Uint8Array[];
  readonly messages: readonly McapMessageIndex[];
  readonly index: McapChunkIndex | undefined;
  readonly definitions: Definitions;
};

export function lossOfChunk(
  { offset, recordBytes }: { readonly offset: number; readonly recordBytes: number },
  damaged: DamagedChunk,
): SalvageLoss {
  const { chunk, contents, messages, index } = damaged;
  const times = index ?? chunk.head;
  const hasTimes = times !== undefined && times.endNs > 0n && times.startNs <= times.endNs;
  // Every channel of the chunk has its index only when the summary says so; a chunk may also have none at all.
  const isCounted = index !== undefined && messages.length > 0 && index.messageIndexOffsets.size === messages.length;
  const topics = chunk.proof === 'crc' ? {} : isCounted ? lostTopics(damaged) : undefined;
  return {
    fromByte: offset,
    toByte: offset + recordBytes,
    what: chunk.damage ?? '',
    ...(hasTimes ? { startNs: String(times.startNs), endNs: String(times.endNs) } : {}),
    ...(topics === undefined ? {} : { topics }),
    ...(chunk.proof === 'none' && contents.length > 0 ? { keptUnproven: contents.length } : {}),
  };
}

function lostTopics({ messages, contents, definitions }: DamagedChunk): Record<string, number> {
  const counts = new Map<number, number>(messages.map(({ channelId, entries }) => [channelId, entries.length]));
  for (const content of contents) {
    const id = new FieldReader(content).uint16();
    counts.set(id, (counts.get(id) ?? 0) - 1);
  }
  const lost: Record<string, number> = {};
  for (const [id, count] of counts) {
    const topic = definitions.channel(id)?.topic ?? `channel ${id}`;
    if (count > 0) lost[topic] = (lost[topic] ?? 0) + count;
  }
  return lost;
}
