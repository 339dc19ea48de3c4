/** What each campaign has used of its budgets, over sliding windows of session time. Pure; the desk keeps it on disk. */
import { type Campaign, FleetError } from '@fleetloop/schemas';
import { z } from 'zod';

/** Recordings remembered per campaign; over it the two oldest become one, at the time of the younger. */
export const BUDGET_ENTRIES_MAX = 4_096;
/** Campaigns remembered; over it the one that recorded least recently is forgotten. */
export const BUDGET_CAMPAIGNS_MAX = 256;
const NS_PER_HOUR = 3_600_000_000_000n;
const NS_PER_DAY = 24n * NS_PER_HOUR;

type BudgetEntry = { readonly timeNs: bigint; readonly events: number; readonly bytes: number };
/** By campaign id, entries in the order in which they were recorded. A push of another version goes on with what is used. */
export type BudgetBook = ReadonlyMap<string, readonly BudgetEntry[]>;

export const EMPTY_BUDGET_BOOK: BudgetBook = new Map();

/** One recording of the campaign is on disk. */
export function withRecording(book: BudgetBook, campaignId: string, bytes: number, timeNs: bigint): BudgetBook {
  const recent = (book.get(campaignId) ?? []).filter((entry) => isWithin(entry.timeNs, timeNs, NS_PER_DAY));
  const entries = bounded([...recent, { timeNs, events: 1, bytes }]);
  const others = [...book].filter(([id]) => id !== campaignId).slice(1 - BUDGET_CAMPAIGNS_MAX);
  return new Map([...others, [campaignId, entries]]);
}

/** Why the campaign may make no more recordings now, or undefined. */
export function overBudget(book: BudgetBook, campaign: Campaign, nowNs: bigint): string | undefined {
  const { eventsPerHour, bytesPerDay } = campaign.budgets ?? {};
  const entries = book.get(campaign.id) ?? [];
  const sum = (of: 'events' | 'bytes', overNs: bigint): number =>
    entries.reduce((total, entry) => (isWithin(entry.timeNs, nowNs, overNs) ? total + entry[of] : total), 0);
  const events = sum('events', NS_PER_HOUR);
  if (eventsPerHour !== undefined && events >= eventsPerHour)
    return `${events} recordings in an hour, the budget is ${eventsPerHour}`;
  const bytes = sum('bytes', NS_PER_DAY);
  if (bytesPerDay !== undefined && bytes >= bytesPerDay) return `${bytes} bytes in a day, the budget is ${bytesPerDay}`;
  return undefined;
}

const Document = z.strictObject({
  campaigns: z
    .array(
      z.strictObject({
        id: z.string().max(64),
        entries: z
          .array(z.tuple([z.string().regex(/^-?\d{1,20}$/), z.int().min(0), z.int().min(0)]))
          .max(BUDGET_ENTRIES_MAX),
      }),
    )
    .max(BUDGET_CAMPAIGNS_MAX),
});

export function budgetBookToText(book: BudgetBook): string {
  const campaigns = [...book].map(([id, entries]) => ({
    id,
    entries: entries.map(({ timeNs, events, bytes }) => [timeNs.toString(), events, bytes]),
  }));
  return JSON.stringify({ campaigns });
}

/**
 * @throws FleetError SPOOL_CORRUPT when the text is none that `budgetBookToText` gives
 */
export function budgetBookFromText(text: string): BudgetBook {
  try {
    const { campaigns } = Document.parse(JSON.parse(text));
    return new Map(
      campaigns.map(({ id, entries }) => [
        id,
        entries.map(([timeNs, events, bytes]) => ({ timeNs: BigInt(timeNs), events, bytes })),
      ]),
    );
  } catch (cause) {
    throw new FleetError('SPOOL_CORRUPT', 'the file of campaign budgets cannot be read: it is begun anew', { cause });
  }
}

/** Sessions may lie on different clocks, so an entry counts when it is near, before or after. */
function isWithin(timeNs: bigint, nowNs: bigint, spanNs: bigint): boolean {
  return timeNs > nowNs - spanNs && timeNs < nowNs + spanNs;
}

function bounded(entries: readonly BudgetEntry[]): readonly BudgetEntry[] {
  const [oldest, next, ...others] = entries;
  if (entries.length <= BUDGET_ENTRIES_MAX || oldest === undefined || next === undefined) return entries;
  return [{ timeNs: next.timeNs, events: oldest.events + next.events, bytes: oldest.bytes + next.bytes }, ...others];
}
