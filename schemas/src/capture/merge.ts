/** Brings the messages of several files of one session into one order of time, holding one batch of each. */
import type { SourceMessage } from './source-message.ts';
import { BATCH_MESSAGES_MAX } from './source.ts';

type Batches = AsyncGenerator<readonly SourceMessage[], void, undefined>;
type Cursor = { readonly batches: Batches; batch: readonly SourceMessage[]; position: number };

/**
 * Merges streams by `logTimeNs`. At equal times the earlier stream goes first. A stream that goes back in time keeps its own
 * order: the message that went back comes next.
 */
export async function* mergeByTime(streams: readonly Batches[]): Batches {
  if (streams.length === 1 && streams[0] !== undefined) return yield* streams[0];
  let cursors: Cursor[] = streams.map((batches) => ({ batches, batch: [], position: 0 }));
  let merged: SourceMessage[] = [];
  try {
    while (true) {
      cursors = await refill(cursors);
      if (cursors.length === 0) break;
      takeWhileFull(cursors, merged);
      if (merged.length >= BATCH_MESSAGES_MAX) {
        yield merged;
        merged = [];
      }
    }
    if (merged.length > 0) yield merged;
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.batches.return()));
  }
}

/** Pulls the next batch of every cursor that is used up, and drops those that have ended. */
async function refill(cursors: readonly Cursor[]): Promise<Cursor[]> {
  const open: Cursor[] = [];
  for (const cursor of cursors) {
    let isOpen = true;
    while (isOpen && cursor.position >= cursor.batch.length) {
      const next = await cursor.batches.next();
      if (next.done === true) isOpen = false;
      else Object.assign(cursor, { batch: next.value, position: 0 });
    }
    if (isOpen) open.push(cursor);
  }
  return open;
}

/** Takes the earliest message again and again until one cursor is used up or the batch is full. Hot path. */
function takeWhileFull(cursors: readonly Cursor[], merged: SourceMessage[]): void {
  while (merged.length < BATCH_MESSAGES_MAX) {
    let first: Cursor | undefined;
    let firstMessage: SourceMessage | undefined;
    for (const cursor of cursors) {
      const message = cursor.batch[cursor.position];
      if (message === undefined) return;
      if (firstMessage === undefined || message.logTimeNs < firstMessage.logTimeNs) {
        first = cursor;
        firstMessage = message;
      }
    }
    if (first === undefined || firstMessage === undefined) return;
    merged.push(firstMessage);
    first.position += 1;
  }
}
