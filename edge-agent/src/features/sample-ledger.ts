/**
 * What sampling must remember over a restart: the bytes of this hour, so that an agent that restarts again and again does not spend
 * them again; the last window that went out, so that a drive that is read anew is not sent anew; and what was lost and not told yet.
 */
import { z } from 'zod';

const HOUR_MS = 3_600_000;
const count = z.int().min(0).max(0xffff_ffff);

/** Windows that were chosen and sent without inputs, by why; the names of the message. */
const Withheld = z.strictObject({
  overBudget: count,
  tooLarge: count,
  notComparable: count,
  redacted: count,
  unsent: count,
});
export type Withheld = z.infer<typeof Withheld>;
export const NOTHING_WITHHELD: Withheld = { overBudget: 0, tooLarge: 0, notComparable: 0, redacted: 0, unsent: 0 };

const SampleLedger = z.strictObject({
  /** Wall clock of the vehicle, ms. */
  hourFromMs: z.number(),
  hourBytes: z.int().min(0),
  sent: z.strictObject({ session: z.string(), featureSet: z.string(), windowEndNs: z.string() }).nullable(),
  withheld: Withheld,
});
export type SampleLedger = z.infer<typeof SampleLedger>;
export const EMPTY_LEDGER: SampleLedger = { hourFromMs: 0, hourBytes: 0, sent: null, withheld: NOTHING_WITHHELD };

/** What a file says; empty for one that is damaged: samples are worth less than an agent that starts. */
export function parseSampleLedger(text: string | undefined): SampleLedger {
  if (text === undefined) return EMPTY_LEDGER;
  try {
    return SampleLedger.parse(JSON.parse(text));
  } catch {
    return EMPTY_LEDGER;
  }
}

export type WindowName = { readonly session: string; readonly featureSet: string; readonly windowEndNs: bigint };

/** Whether a window, or one after it in the same session, has gone out. */
export function isSent({ sent }: SampleLedger, { session, featureSet, windowEndNs }: WindowName): boolean {
  if (sent === null || sent.session !== session || sent.featureSet !== featureSet) return false;
  return windowEndNs <= BigInt(sent.windowEndNs);
}

export function onSent(ledger: SampleLedger, { session, featureSet, windowEndNs }: WindowName): SampleLedger {
  return { ...ledger, sent: { session, featureSet, windowEndNs: String(windowEndNs) } };
}

/** The ledger with the bytes taken from the hour's; undefined when they are not there. A clock that was set back begins a new hour. */
export function spend(
  ledger: SampleLedger,
  { bytes, nowMs, bytesPerHour }: { readonly bytes: number; readonly nowMs: number; readonly bytesPerHour: number },
): SampleLedger | undefined {
  const isSame = nowMs >= ledger.hourFromMs && nowMs - ledger.hourFromMs < HOUR_MS;
  const spent = isSame ? ledger.hourBytes : 0;
  if (spent + bytes > bytesPerHour) return undefined;
  return { ...ledger, hourFromMs: isSame ? ledger.hourFromMs : nowMs, hourBytes: spent + bytes };
}

export function withhold(ledger: SampleLedger, why: keyof Withheld, windows = 1): SampleLedger {
  return { ...ledger, withheld: { ...ledger.withheld, [why]: ledger.withheld[why] + windows } };
}

/** What was told is not told again; what came in between stays. */
export function onTold(ledger: SampleLedger, told: Withheld): SampleLedger {
  const left = Object.fromEntries(
    Object.entries(ledger.withheld).map(([why, windows]) => [why, windows - told[why as keyof Withheld]]),
  );
  return { ...ledger, withheld: left as Withheld };
}
