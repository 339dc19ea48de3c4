/**
 * What was known in the time of one block and cannot be read from its messages: the clocks, and what redaction did. It stands in front
 * of the block in its segment, so that a recording that is made of the block alone, after a power cut, can say it too.
 */
import { type RecordingClock, RecordingMetadata, type RedactionRecord } from '@fleetloop/schemas';
import { z } from 'zod';
import type { IntervalFacts } from './event-metadata.ts';

const NS_PER_SECOND = 1_000_000_000n;
/** Seconds in front of the end of its block that a note counts; without a message for longer there was nothing to redact. */
export const NOTED_SECONDS_MAX = 600n;

const NotedRedaction = RecordingMetadata.shape.redactions
  .unwrap()
  .element.omit({ messages: true })
  .extend({
    /** Messages per second since the Unix epoch; none for what was done to the attributes of the session. */
    seconds: z.array(z.tuple([z.int().min(0), z.int().min(1)])).max(Number(NOTED_SECONDS_MAX) + 1),
  });
type NotedRedaction = z.infer<typeof NotedRedaction>;
const SessionNote = z.strictObject({
  clock: RecordingMetadata.shape.clock.partial(),
  redactions: z.array(NotedRedaction),
});
export type SessionNote = {
  readonly clock: Partial<RecordingClock>;
  readonly redactions: readonly NotedRedaction[];
};

/** The note of [fromNs, toNs]; undefined when there is nothing to say. */
export function takeNote(facts: IntervalFacts, fromNs: bigint, toNs: bigint): SessionNote | undefined {
  const clock = facts.clock?.(fromNs, toNs) ?? {};
  const redactions = facts.redactions === undefined ? [] : bySecond(facts.redactions, fromNs, toNs);
  return Object.keys(clock).length === 0 && redactions.length === 0 ? undefined : { clock, redactions };
}

export const encodeNote = (note: SessionNote): Uint8Array => new TextEncoder().encode(JSON.stringify(note));

/** Undefined for bytes that are not a note; the CRC has been looked at before. */
export function decodeNote(payload: Uint8Array): SessionNote | undefined {
  try {
    const parsed = SessionNote.safeParse(JSON.parse(new TextDecoder().decode(payload)));
    return parsed.success ? (parsed.data as SessionNote) : undefined;
  } catch {
    return undefined;
  }
}

/** Whole seconds, as redaction counts them: a later note that counts one of them again replaces what an earlier one says of it. */
function bySecond(
  redactions: NonNullable<IntervalFacts['redactions']>,
  fromNs: bigint,
  toNs: bigint,
): readonly NotedRedaction[] {
  const noted = new Map<string, NotedRedaction>();
  const last = toNs / NS_PER_SECOND;
  const first = fromNs / NS_PER_SECOND;
  for (let second = last - first > NOTED_SECONDS_MAX ? last - NOTED_SECONDS_MAX : first; second <= last; second += 1n) {
    const startNs = second * NS_PER_SECOND;
    for (const record of redactions(startNs, startNs + NS_PER_SECOND - 1n)) {
      const { rule, kind, topic, messages } = record;
      const key = redactionKey(record);
      const entry = noted.get(key) ?? { rule, kind, topic, seconds: [] };
      noted.set(key, entry);
      if (messages > 0) entry.seconds.push([Number(second), messages]);
    }
  }
  return [...noted.values()];
}

/** What is counted by itself. */
export const redactionKey = ({ rule, topic }: Pick<RedactionRecord, 'rule' | 'topic'>): string => `${rule} ${topic}`;
