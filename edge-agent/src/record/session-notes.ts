/** The notes of one session, one a block: taken while it is live, found again on disk, and put together for an interval. */
import { CLOCK_SAMPLES_PER_RECORDING_MAX, type RecordingClock, type RedactionRecord } from '@fleetloop/schemas';
import { evenlySpread } from '../capture/evenly-spread.ts';
import type { IntervalFacts } from './event-metadata.ts';
import { type TimeBase, timeAt } from './message-record.ts';
import type { RecordBlock } from './record-block.ts';
import { decodeNote, encodeNote, redactionKey, type SessionNote, takeNote } from './session-note.ts';

const NS_PER_SECOND = 1_000_000_000n;
/** A recording says no more than this; `RecordingMetadata` refuses it. */
const REDACTIONS_MAX = 256;

type NotedBlock = Pick<RecordBlock, 'earliest' | 'latest'>;

export class SessionNotes {
  readonly #facts: IntervalFacts;
  /** Encoded, as there may be thousands; they go with their blocks. */
  readonly #notes = new WeakMap<NotedBlock, Uint8Array>();
  #notedUntilNs: bigint | undefined;

  /** Without facts it only knows what is put in. */
  constructor(facts: IntervalFacts = {}) {
    this.#facts = facts;
  }

  /** Notes what is known up to the end of a block of a live session; all that was redacted in it has been counted by now. */
  take(block: NotedBlock, base: TimeBase): void {
    const [earliestNs, toNs] = [timeAt(base, block.earliest), timeAt(base, block.latest)];
    const untilNs = this.#notedUntilNs ?? earliestNs;
    const note = takeNote(this.#facts, untilNs < earliestNs ? untilNs : earliestNs, toNs);
    if (note !== undefined) this.put(block, encodeNote(note));
    if (toNs > untilNs) this.#notedUntilNs = toNs;
  }

  /** As it was found on disk. */
  put(block: NotedBlock, payload: Uint8Array): void {
    this.#notes.set(block, payload);
  }

  /** As it goes to disk. */
  of(block: NotedBlock): Uint8Array | undefined {
    return this.#notes.get(block);
  }

  /** What the notes of these blocks, in the order of the ring, say of any interval that the blocks cover. */
  factsOf(blocks: readonly NotedBlock[], base: TimeBase): IntervalFacts {
    const noted = blocks.flatMap((block) => {
      const payload = this.#notes.get(block);
      const note = payload === undefined ? undefined : decodeNote(payload);
      return note === undefined
        ? []
        : [{ note, fromNs: timeAt(base, block.earliest), toNs: timeAt(base, block.latest) }];
    });
    return {
      clock: (startNs, endNs) => {
        const within = noted.filter(({ fromNs, toNs }) => fromNs <= endNs && toNs >= startNs);
        return clockOf(
          within.map(({ note }) => note.clock),
          startNs,
          endNs,
        );
      },
      redactions: (startNs, endNs) =>
        redactionsOf(
          noted.map(({ note }) => note),
          startNs,
          endNs,
        ),
    };
  }
}

function clockOf(clocks: readonly Partial<RecordingClock>[], startNs: bigint, endNs: bigint): Partial<RecordingClock> {
  const unique = <T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] => [
    ...new Map(items.map((item) => [keyOf(item), item])).values(),
  ];
  const each = clocks.flatMap(({ samples = [] }) => samples);
  const samples = unique(each, ({ monotonicNs }) => monotonicNs).toSorted((a, b) =>
    BigInt(a.monotonicNs) < BigInt(b.monotonicNs) ? -1 : 1,
  );
  const steps = unique(
    clocks.flatMap((clock) => clock.steps ?? []),
    ({ atNs }) => atNs,
  ).filter(({ atNs }) => BigInt(atNs) >= startNs && BigInt(atNs) <= endNs);
  const sources = unique(
    clocks.flatMap((clock) => clock.sources ?? []),
    ({ topic }) => topic,
  );
  const uncertainties = clocks.flatMap(({ uncertaintyNs }) =>
    uncertaintyNs === undefined ? [] : [BigInt(uncertaintyNs)],
  );
  const source = clocks.at(-1)?.source;
  const worstNs = uncertainties.reduce((worst, ns) => (ns > worst ? ns : worst), 0n);
  return {
    ...(source === undefined ? {} : { source }),
    ...(uncertainties.length === 0 ? {} : { uncertaintyNs: worstNs.toString() }),
    ...(samples.length === 0 ? {} : { samples: [...evenlySpread(samples, CLOCK_SAMPLES_PER_RECORDING_MAX)] }),
    ...(steps.length === 0 ? {} : { steps: steps.slice(-CLOCK_SAMPLES_PER_RECORDING_MAX) }),
    ...(sources.length === 0 ? {} : { sources: [...sources] }),
  };
}

/** In whole seconds, as for a live session. */
function redactionsOf(notes: readonly SessionNote[], startNs: bigint, endNs: bigint): readonly RedactionRecord[] {
  const [first, last] = [Number(startNs / NS_PER_SECOND), Number(endNs / NS_PER_SECOND)];
  const counted = new Map<string, { readonly record: RedactionRecord; readonly seconds: Map<number, number> }>();
  for (const { rule, kind, topic, seconds } of notes.flatMap(({ redactions }) => redactions)) {
    const key = redactionKey({ rule, topic });
    const entry = counted.get(key) ?? {
      record: { rule, kind, topic, messages: 0 },
      seconds: new Map<number, number>(),
    };
    counted.set(key, entry);
    for (const [second, messages] of seconds) entry.seconds.set(second, messages);
  }
  const records = [...counted.values()].flatMap(({ record, seconds }) => {
    const within = [...seconds].filter(([second]) => second >= first && second <= last);
    const messages = within.reduce((sum, [, count]) => sum + count, 0);
    return messages === 0 && seconds.size > 0 ? [] : [{ ...record, messages }];
  });
  return records.slice(0, REDACTIONS_MAX);
}
