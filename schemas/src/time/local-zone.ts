/** Zone-less local time to UTC: an IANA zone or a fixed offset, with the hours that a change of daylight saving repeats or skips. */

const NS_PER_MS = 1_000_000n;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Zones change at whole quarters of an hour, so one answer holds for all stamps of a quarter whose ends agree. */
const SLOT_MS = 15 * MINUTE_MS;
/** Quarters that are remembered; beyond it all are forgotten, which costs time only. */
const SLOTS_MAX = 1_024;
const FIXED_OFFSET = /^([+-])(\d{2}):(\d{2})$/;

/** The readings of one local stamp, as the offsets by which local time is ahead of UTC. */
export type LocalReading =
  | { readonly kind: 'one'; readonly aheadNs: bigint }
  /** The clock was put back: both hold, `first` came earlier. */
  | { readonly kind: 'repeated'; readonly firstAheadNs: bigint; readonly secondAheadNs: bigint }
  /** The clock was put forward over this stamp: a clock that was not moved in time shows it with the offset from before. */
  | { readonly kind: 'skipped'; readonly beforeAheadNs: bigint; readonly afterAheadNs: bigint };

export type LocalZone = {
  /** @param localNs the local reading taken as if it were UTC, ns since the epoch */
  readonly read: (localNs: bigint) => LocalReading;
};

/** Whether a text is `+hh:mm`, `-hh:mm` or an IANA zone that this runtime knows. */
export function isZone(text: string): boolean {
  const fixed = FIXED_OFFSET.exec(text);
  if (fixed !== null) return Number(fixed[2]) <= 14 && Number(fixed[3]) <= 59;
  if (!/^[A-Za-z][A-Za-z0-9_+\-/]*$/.test(text)) return false;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

/** @param zone a text that `isZone` accepts */
export function makeLocalZone(zone: string): LocalZone {
  const fixed = FIXED_OFFSET.exec(zone);
  if (fixed !== null) {
    const minutes = (Number(fixed[2]) * 60 + Number(fixed[3])) * (fixed[1] === '-' ? -1 : 1);
    const reading: LocalReading = { kind: 'one', aheadNs: BigInt(minutes * MINUTE_MS) * NS_PER_MS };
    return { read: () => reading };
  }
  return makeNamedZone(zone);
}

function makeNamedZone(zone: string): LocalZone {
  const aheadMs = makeAheadMs(zone);
  const slots = new Map<number, LocalReading | undefined>();
  return {
    read: (localNs) => {
      const localMs = Number(localNs / NS_PER_MS);
      const slot = Math.floor(localMs / SLOT_MS);
      if (!slots.has(slot)) {
        if (slots.size >= SLOTS_MAX) slots.clear();
        const atStart = readLocal(slot * SLOT_MS, aheadMs);
        const atEnd = readLocal((slot + 1) * SLOT_MS - 1, aheadMs);
        slots.set(slot, isSame(atStart, atEnd) ? atStart : undefined);
      }
      return slots.get(slot) ?? readLocal(localMs, aheadMs);
    },
  };
}

/** Tries the offsets that hold a day before and a day after: no zone changes twice within that. */
function readLocal(localMs: number, aheadMs: (utcMs: number) => number): LocalReading {
  const before = aheadMs(localMs - DAY_MS);
  const after = aheadMs(localMs + DAY_MS);
  const ns = (ms: number): bigint => BigInt(ms) * NS_PER_MS;
  if (before === after) return { kind: 'one', aheadNs: ns(before) };
  const holdsBefore = aheadMs(localMs - before) === before;
  const holdsAfter = aheadMs(localMs - after) === after;
  if (holdsBefore && holdsAfter) return { kind: 'repeated', firstAheadNs: ns(before), secondAheadNs: ns(after) };
  if (!holdsBefore && !holdsAfter) return { kind: 'skipped', beforeAheadNs: ns(before), afterAheadNs: ns(after) };
  return { kind: 'one', aheadNs: ns(holdsBefore ? before : after) };
}

function isSame(a: LocalReading, b: LocalReading): boolean {
  return a.kind === 'one' ? b.kind === 'one' && a.aheadNs === b.aheadNs : a.kind === b.kind;
}

/** By how much the zone's clocks are ahead of UTC at a moment, ms. */
function makeAheadMs(zone: string): (utcMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (utcMs) => {
    const wholeMs = Math.floor(utcMs / 1_000) * 1_000;
    const parts = new Map(format.formatToParts(wholeMs).map(({ type, value }) => [type, value]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
    const shown = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
    return shown - wholeMs;
  };
}
