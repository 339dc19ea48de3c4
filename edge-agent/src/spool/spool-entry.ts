/** What the spool knows of a recording, and how that is written beside it. */
import { FleetError, PRIORITIES } from '@fleetloop/schemas';
import { z } from 'zod';

/** Chunks of one recording; with 512 KiB each it bounds a recording at 2 GiB. */
export const CHUNKS_MAX = 4_096;

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const Sidecar = z.strictObject({
  version: z.literal(1),
  eventId: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/),
  digest,
  sizeBytes: z.int().min(1),
  chunkSizeBytes: z.int().min(1),
  chunkDigests: z.array(digest).min(1).max(CHUNKS_MAX),
  priority: z.enum(PRIORITIES),
  session: z.string(),
  campaignIds: z.array(z.string()),
  /** Counts up in the order of capture. */
  order: z.int().min(0),
});

/** A recording that waits to be uploaded. */
export type SpoolEntry = Readonly<z.infer<typeof Sidecar>> & {
  /** Found on disk at the start: parts of it may be in the cloud already. */
  readonly isResumed: boolean;
};

/** The text of the file beside a recording. */
export function toSidecarText(entry: SpoolEntry): string {
  const { isResumed: _, ...sidecar } = entry;
  return `${JSON.stringify(sidecar)}\n`;
}

/** Reads it back, or says undefined for a text that is not one. */
export function fromSidecarText(text: string): SpoolEntry | undefined {
  try {
    return { ...Sidecar.parse(JSON.parse(text)), isResumed: true };
  } catch {
    return undefined;
  }
}

const Outcome = z.strictObject({
  id: z.string(),
  outcome: z.enum(['verified', 'refused', 'evicted', 'quarantined']),
  digest: z.string().nullable(),
  sizeBytes: z.int().min(0),
  priority: z.enum(PRIORITIES),
  /** Sequence of the ledger entry that took the recording in, as text; only for `verified`. */
  ledgerSequence: z.string().optional(),
  code: z.string().optional(),
  reason: z.string().max(2_000).optional(),
  atMs: z.int(),
});

/** The end of a recording on this vehicle. One of `evicted` is a tombstone: it explains what is missing. */
export type Outcome = Readonly<z.infer<typeof Outcome>>;

/** Outcomes of a file of lines; a last line that a power cut left half written is dropped. @throws FleetError SPOOL_CORRUPT */
export function parseOutcomes(text: string): Outcome[] {
  const lines = text.split('\n');
  const outcomes: Outcome[] = [];
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const outcome = parseOutcome(line);
    if (outcome !== undefined) outcomes.push(outcome);
    else if (index < lines.length - 1) {
      throw new FleetError(
        'SPOOL_CORRUPT',
        `line ${index + 1} of the spool's outcomes is damaged: restore the file or remove that line`,
      );
    }
  }
  return outcomes;
}

function parseOutcome(line: string): Outcome | undefined {
  try {
    return Outcome.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
