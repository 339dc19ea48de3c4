/** What a salvage must keep and may not make, told from the places of an intact file and nothing of the salvage itself. */
import type { PlacedFile, PlacedMessage } from './salvage-test-files.ts';

/** Whether bytes of the intact file are in the damaged one as they were, one behind the other. */
export type Survives = (fromByte: number, toByte: number) => boolean;

const keys = new WeakMap<PlacedMessage, string>();

/** A message but for its channel id, which the salvage may change. */
export function keyOf(message: PlacedMessage): string {
  const known = keys.get(message);
  if (known !== undefined) return known;
  const key = `${message.topic} ${Buffer.from(message.content.subarray(2)).toString('base64')}`;
  keys.set(message, key);
  return key;
}

function countKeys(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/**
 * Messages whose bytes, and whose channel and schema, are as they were. Of two copies of a channel that differ, the first counts unless the
 * whole summary with its CRC is there to tell.
 */
export function intactMessages(file: PlacedFile, survives: Survives): readonly PlacedMessage[] {
  const isSummaryWhole = survives(file.summaryByte, file.bytes.length);
  const known = new Map<string, boolean>();
  for (const { key, fromByte, toByte } of file.definitions) {
    const isIntact = survives(fromByte, toByte);
    if (!known.has(key) || (isSummaryWhole && isIntact)) known.set(key, isIntact);
  }
  return file.messages.filter(({ fromByte, toByte, channelId }) => {
    const schemaId = file.channels.get(channelId)?.schemaId ?? 0;
    const isDeclared = known.get(`channel ${channelId}`) && (schemaId === 0 || known.get(`schema ${schemaId}`));
    return isDeclared === true && survives(fromByte, toByte);
  });
}

/** Of those that must be there, the ones that are not. */
export function missingOf(wanted: readonly PlacedMessage[], output: PlacedFile): readonly string[] {
  const kept = countKeys(output.messages.map(keyOf));
  return [...countKeys(wanted.map(keyOf))].filter(([key, count]) => (kept.get(key) ?? 0) < count).map(([key]) => key);
}

/** Messages that were never written, or more often than they were. */
export function foreignOf(output: PlacedFile, file: PlacedFile): readonly PlacedMessage[] {
  const left = countKeys(file.messages.map(keyOf));
  return output.messages.filter((message) => {
    const count = left.get(keyOf(message)) ?? 0;
    left.set(keyOf(message), count - 1);
    return count <= 0;
  });
}
