/**
 * Why: a nats-server whose disk runs full in the middle of an atomic batch may keep the first messages of it and lose the others
 * when it is started again before there is room. Nobody can remove those entries, but whoever knows the append can add the rest:
 * what was meant to stand or fall together then stands.
 */
import { canonicalJson, type JsonValue, STREAMS } from '@fleetloop/schemas';
import type { JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { decodeEntry, type EncodedEntry } from '../ledger/entry-coding.ts';

export const BATCH_ID = 'Nats-Batch-Id';
export const BATCH_SEQUENCE = 'Nats-Batch-Sequence';
export const BATCH_COMMIT = 'Nats-Batch-Commit';

/**
 * Sequences of the first entries of this append where a former attempt has left just these, and never committed them.
 * Undefined where the append stands whole, or something else stands in its place.
 */
export async function tornPrefixOf(
  manager: JetStreamManager,
  entries: readonly EncodedEntry[],
): Promise<readonly number[] | undefined> {
  const [first] = entries;
  const last = entries.at(-1);
  if (first === undefined || last === undefined || entries.length === 1) return undefined;
  const start = await lastOf(manager, first);
  const batch = start?.header.get(BATCH_ID) ?? '';
  if (start === null || batch === '' || start.header.get(BATCH_SEQUENCE) !== '1') return undefined;
  const end = await lastOf(manager, last);
  if (end !== null && isSameFact(last, end)) return undefined;
  const sequences: number[] = [];
  for (let message: StoredMsg | null = start; message !== null && message.header.get(BATCH_ID) === batch; ) {
    const entry = entries[sequences.length];
    if (entry === undefined || !isSameFact(entry, message)) return undefined;
    if (message.header.get(BATCH_COMMIT) !== '') return undefined;
    sequences.push(message.seq);
    message = await messageAfter(manager, message.seq);
  }
  return sequences;
}

async function lastOf(manager: JetStreamManager, { subject }: EncodedEntry): Promise<StoredMsg | null> {
  return manager.direct.getMessage(STREAMS.ledger, { last_by_subj: `ledger.${subject}` });
}

/** A commit that is being stored at this moment holds the stream: when the stream has told of itself, it is done. */
async function messageAfter(manager: JetStreamManager, sequence: number): Promise<StoredMsg | null> {
  const next = { seq: sequence + 1 };
  const message = await manager.direct.getMessage(STREAMS.ledger, next);
  if (message !== null) return message;
  await manager.streams.info(STREAMS.ledger);
  return manager.direct.getMessage(STREAMS.ledger, next);
}

/** Told again it has another time, and nothing else. */
function isSameFact({ subject, bytes }: EncodedEntry, message: StoredMsg): boolean {
  return message.subject === `ledger.${subject}` && timeless(bytes) === timeless(message.data);
}

function timeless(bytes: Uint8Array): string {
  return canonicalJson({ ...decodeEntry(bytes), at: '' } as unknown as JsonValue);
}
