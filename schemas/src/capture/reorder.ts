/**
 * Puts messages that are slightly out of order back in order. Recorders with several threads write a few milliseconds of disorder;
 * a window of a fixed number of messages and bytes repairs that, and whatever lies further back is delivered as it comes.
 */
import type { SourceMessage } from './source-message.ts';
import { BATCH_MESSAGES_MAX } from './source.ts';

/** Most messages that wait for an earlier one. */
export const REORDER_MESSAGES_MAX = 1_024;
/** Most bytes that wait; large payloads shorten the window. */
export const REORDER_BYTES_MAX = 8 * 1024 * 1024;

type Batches = AsyncGenerator<readonly SourceMessage[], void, undefined>;

/** Orders by `logTimeNs`; equal stamps keep their order. When the stream breaks, what came before the break is delivered first. */
export async function* reorder(stream: Batches): Batches {
  const window = makeWindow();
  let batch: SourceMessage[] = [];
  let failure: { readonly error: unknown } | undefined;
  try {
    for (let next = await stream.next(); next.done !== true; next = await stream.next()) {
      for (const message of next.value) {
        window.add(message);
        while (window.isFull()) batch.push(window.take());
      }
      if (batch.length < BATCH_MESSAGES_MAX) continue;
      yield batch;
      batch = [];
    }
  } catch (error) {
    failure = { error };
  } finally {
    await stream.return();
  }
  while (!window.isEmpty()) batch.push(window.take());
  while (batch.length > 0) yield batch.splice(0, BATCH_MESSAGES_MAX);
  if (failure !== undefined) throw failure.error;
}

type Window = {
  readonly add: (message: SourceMessage) => void;
  readonly take: () => SourceMessage;
  readonly isFull: () => boolean;
  readonly isEmpty: () => boolean;
};

/** A sorted list that is filled from its end, because nearly every message belongs there. Hot path. */
function makeWindow(): Window {
  let sorted: SourceMessage[] = [];
  let first = 0;
  let bytes = 0;
  return {
    add: (message) => {
      let at = sorted.length;
      while (at > first && (sorted[at - 1] as SourceMessage).logTimeNs > message.logTimeNs) at -= 1;
      if (at === sorted.length) sorted.push(message);
      else sorted.splice(at, 0, message);
      bytes += sizeOf(message);
    },
    take: () => {
      const message = sorted[first];
      if (message === undefined) throw new Error('nothing waits to be taken');
      first += 1;
      bytes -= sizeOf(message);
      if (first >= REORDER_MESSAGES_MAX) {
        sorted = sorted.slice(first);
        first = 0;
      }
      return message;
    },
    isFull: () => sorted.length - first > REORDER_MESSAGES_MAX || (bytes > REORDER_BYTES_MAX && sorted.length > first),
    isEmpty: () => sorted.length === first,
  };
}

function sizeOf(message: SourceMessage): number {
  return message.kind === 'opaque' ? message.data.length : message.values.length * 8;
}
