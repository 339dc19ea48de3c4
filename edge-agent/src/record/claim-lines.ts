/**
 * The journal of claims as text: one line per claim, per interval that is recorded for good, and per end of a session, each with the
 * CRC of its JSON. What the lines leave open is what a power cut took from an event. Pure.
 */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { claimWindow, type EventWindow, NO_WINDOWS, partsOf, withoutRecorded } from './event-windows.ts';
import type { RecordedCampaign } from './recorder-effects.ts';

const ns = z
  .string()
  .regex(/^-?\d{1,20}$/)
  .transform(BigInt);
const ClaimedCampaign = z.strictObject({
  id: z.string(),
  priority: z.enum(['safety', 'normal', 'bulk']),
  topics: z.array(z.string()).optional(),
  decimation: z.array(z.strictObject({ topic: z.string(), rateHzMax: z.number() })).optional(),
  brief: z.string().optional(),
  uploadWithinMs: z.number().optional(),
});
const JournalLine = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('claim'),
    session: z.string(),
    campaign: ClaimedCampaign,
    timeNs: ns,
    startNs: ns,
    endNs: ns,
    eventNsMax: ns,
  }),
  z.strictObject({ kind: z.literal('recorded'), session: z.string(), startNs: ns, endNs: ns }),
  z.strictObject({ kind: z.literal('ended'), session: z.string(), lastNs: ns }),
]);
export type JournalLine = z.infer<typeof JournalLine>;
type ClaimLine = Extract<JournalLine, { kind: 'claim' }>;

export function toJournalText(line: JournalLine): string {
  const json = JSON.stringify(line, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

/** Reads what is whole; a line that is not costs itself alone. One is there twice when a write failed after it was on disk. */
export function parseJournal(text: string): { readonly lines: readonly JournalLine[]; readonly damaged: number } {
  const lines: JournalLine[] = [];
  let damaged = 0;
  for (const each of new Set(text.split('\n'))) {
    if (each === '') continue;
    const line = parseLine(each);
    if (line === undefined) damaged += 1;
    else lines.push(line);
  }
  return { lines, damaged };
}

function parseLine(text: string): JournalLine | undefined {
  const json = text.slice(9);
  if (text.slice(0, 9) !== `${crc32(json).toString(16).padStart(8, '0')} `) return undefined;
  try {
    const parsed = JournalLine.safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Lines without which what is open could not be told. */
export function openLines(lines: readonly JournalLine[]): readonly JournalLine[] {
  const sessions = new Map<string, { readonly recorded: Interval[]; lastNs: bigint | undefined }>();
  for (const line of lines) {
    const known = sessions.get(line.session) ?? { recorded: [], lastNs: undefined };
    sessions.set(line.session, known);
    if (line.kind === 'recorded') known.recorded.push(line);
    if (line.kind === 'ended') known.lastNs = line.lastNs;
  }
  const isOpen = (line: ClaimLine): boolean => {
    const { recorded = [], lastNs } = sessions.get(line.session) ?? {};
    const window = clipped(windowOf(line), lastNs);
    return window !== undefined && withoutRecorded(window, recorded).length > 0;
  };
  const claims = lines.filter((line) => line.kind === 'claim').filter(isOpen);
  const open = new Set<JournalLine>(claims);
  return lines.filter((line) => {
    if (line.kind === 'claim') return open.has(line);
    const ofSession = claims.filter((claim) => claim.session === line.session);
    if (line.kind === 'ended') return ofSession.length > 0;
    return ofSession.some((claim) => claim.startNs <= line.endNs && line.startNs <= claim.endNs);
  });
}

export type OpenSession = {
  readonly session: string;
  /** What is not recorded, in order of time. */
  readonly windows: readonly EventWindow[];
  readonly campaigns: readonly RecordedCampaign[];
  /** The session came to its end: its windows are cut off there as they would have been. */
  readonly isEnded: boolean;
};

/** The events that were open when the journal ended. */
export function openEvents(lines: readonly JournalLine[]): readonly OpenSession[] {
  const sessions = [...new Set(lines.map((line) => line.session))];
  return sessions.map((session): OpenSession => {
    const own = lines.filter((line) => line.session === session);
    const claims = own.filter((line) => line.kind === 'claim');
    const recorded = own.filter((line) => line.kind === 'recorded');
    const lastNs = own.findLast((line) => line.kind === 'ended')?.lastNs;
    const merged = claims.reduce((state, claim) => claimWindow(state, claimOf(claim)), NO_WINDOWS);
    const windows = merged.pending
      .flatMap((window) => clipped(window, lastNs) ?? [])
      .flatMap(partsOf)
      .flatMap((window) => withoutRecorded(window, recorded));
    return { session, windows, campaigns: claims.map(campaignOf), isEnded: lastNs !== undefined };
  });
}

type Interval = { readonly startNs: bigint; readonly endNs: bigint };

/** Optional fields are absent, not undefined. */
function campaignOf({ campaign }: ClaimLine): RecordedCampaign {
  return Object.fromEntries(Object.entries(campaign).filter(([, value]) => value !== undefined)) as RecordedCampaign;
}

function claimOf({ campaign, timeNs, startNs, endNs, eventNsMax }: ClaimLine): Parameters<typeof claimWindow>[1] {
  return { campaignId: campaign.id, timeNs, startNs, endNs, eventNsMax };
}

const windowOf = (line: ClaimLine): EventWindow => claimWindow(NO_WINDOWS, claimOf(line)).pending[0] as EventWindow;

function clipped(window: EventWindow, lastNs: bigint | undefined): EventWindow | undefined {
  if (lastNs === undefined || window.endNs <= lastNs) return window;
  return window.startNs <= lastNs ? { ...window, endNs: lastNs } : undefined;
}
