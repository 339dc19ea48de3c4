/** Which clock stamps a source, as mappings, publishers and configurations declare it. */
import { z } from 'zod';
import { isZone } from './local-zone.ts';

const NS_PER_S = 1_000_000_000;
/** Nobody's clock is known worse than to a day and still worth converting. */
const UNCERTAINTY_NS_MAX = 86_400 * NS_PER_S;

const uncertaintyNs = z
  .int()
  .min(0)
  .max(UNCERTAINTY_NS_MAX)
  .default(0)
  .describe('How far the clock itself may be off, ns; goes on top of what the conversion adds.');
const signedNsText = z.string().regex(/^-?\d{1,20}$/, 'is not a whole number of nanoseconds');

/** Stamps count from 1970-01-01T00:00:00Z in UTC as POSIX counts. */
const utc = z.strictObject({ kind: z.literal('utc'), uncertaintyNs });
const gps = z.strictObject({
  kind: z.literal('gps'),
  epoch: z
    .enum(['gps', 'unix'])
    .default('gps')
    .describe('Where the count starts: 1980-01-06, or 1970-01-01 (the same clock, counted from the Unix epoch).'),
  uncertaintyNs,
});
/** Stamps count from 1970-01-01T00:00:00 TAI (`CLOCK_TAI`, PTP). */
const tai = z.strictObject({ kind: z.literal('tai'), uncertaintyNs });
const boot = z.strictObject({
  kind: z.literal('boot'),
  offsetNs: signedNsText
    .optional()
    .describe('UTC = stamp + offsetNs, where it is known. A file needs it; a live source is compared with arrivals.'),
  latencyNsMax: z
    .int()
    .min(0)
    .max(60 * NS_PER_S)
    .default(5_000_000)
    .describe('Live: within each window at least one message arrives this soon after its stamp.'),
  driftPpmMax: z.number().min(0).max(10_000).default(100).describe('Live: most that the clock runs fast or slow.'),
  windowMs: z.int().min(1_000).max(600_000).default(10_000).describe('Live: length of the window.'),
  uncertaintyNs,
});
const local = z.strictObject({
  kind: z.literal('local'),
  zone: z
    .string()
    .max(64)
    .refine(isZone, 'is neither an IANA zone nor an offset such as +02:00')
    .describe('Zone of the clock. The stamp is the local reading taken as if it were UTC.'),
  repeated: z
    .enum(['first', 'second'])
    .default('first')
    .describe('Which reading of a repeated hour is taken while nothing else tells.'),
  uncertaintyNs,
});

export const SourceClockDeclaration = z.discriminatedUnion('kind', [utc, gps, tai, boot, local]);
export type SourceClockDeclaration = z.infer<typeof SourceClockDeclaration>;
export type BootClockDeclaration = z.infer<typeof boot>;
export type SourceClockKind = SourceClockDeclaration['kind'];
