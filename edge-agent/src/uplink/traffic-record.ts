/** What was sent today on each network, as it is written to disk: a restart continues the day, and damage is told from a first start. */
import { z } from 'zod';
import { type DailyBudget, FRESH_DAY } from './daily-budget.ts';
import { NETWORK_CLASSES, type NetworkClass } from './network-class.ts';

export const TRAFFIC_FILE = 'uplink-traffic.json';

const Day = z.strictObject({
  usedBytes: z.number().min(0),
  carriedBytes: z.number().min(0),
  elapsedMs: z.number().min(0),
});
const StoredRecord = z.strictObject({
  version: z.literal(1),
  /** Latest wall clock ever seen, ms since the Unix epoch. */
  seenMs: z.number(),
  days: z.partialRecord(z.enum(NETWORK_CLASSES), Day),
});

export type Days = Readonly<Record<NetworkClass, DailyBudget>>;
export type TrafficRecord = { readonly seenMs: number; readonly days: Days };

export function toTrafficText({ seenMs, days }: TrafficRecord): string {
  return `${JSON.stringify({ version: 1, seenMs, days })}\n`;
}

/** The record of a text, or undefined for a text that is none. */
export function fromTrafficText(text: string): TrafficRecord | undefined {
  try {
    const { seenMs, days } = StoredRecord.parse(JSON.parse(text));
    return { seenMs, days: everyDay((networkClass) => days[networkClass] ?? FRESH_DAY) };
  } catch {
    return undefined;
  }
}

export function everyDay(day: (networkClass: NetworkClass) => DailyBudget): Days {
  return {
    wifi: day('wifi'),
    cellular: day('cellular'),
    metered: day('metered'),
    roaming: day('roaming'),
    offline: day('offline'),
  };
}
