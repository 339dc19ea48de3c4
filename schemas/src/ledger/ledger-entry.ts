/** One entry of the ledger: who, when, what, about which thing, on what evidence, and why. */
import { z } from 'zod';
import { FleetError } from '../errors/fleet-error.ts';
import { FACTS, type Fact, type FactKind } from './facts.ts';

/** Largest entry, bytes; bulk belongs into blobs. */
export const LEDGER_ENTRY_BYTES_MAX = 512 * 1024;

const Envelope = z.strictObject({
  v: z.literal(1),
  kind: z.string().refine((kind): kind is FactKind => kind in FACTS, 'unknown kind of fact'),
  /** RFC 3339 UTC with milliseconds. */
  at: z.iso.datetime(),
  actor: z.string().min(1).max(128),
  /** Ledger subject without the `ledger.` prefix: `<entity>.<key>`. */
  subject: z.string().min(3).max(200),
  reason: z.string().max(4_096).optional(),
  /** Digests that this fact rests on. */
  evidence: z
    .array(z.string().regex(/^sha256:[0-9a-f]{64}$/))
    .max(1_000)
    .default([]),
  body: z.unknown(),
});

export type LedgerEntry = {
  readonly v: 1;
  readonly at: string;
  readonly actor: string;
  readonly subject: string;
  readonly reason?: string | undefined;
  readonly evidence: readonly string[];
} & Fact;

/** What a writer gives; the ledger adds version and time. `key` must be one NATS subject token. */
export type NewFact = Fact & {
  readonly key: string;
  readonly actor: string;
  readonly reason?: string;
  readonly evidence?: readonly string[];
};

/** @throws FleetError LEDGER_ENTRY_INVALID */
export function parseLedgerEntry(document: unknown): LedgerEntry {
  const envelope = Envelope.safeParse(document);
  if (!envelope.success)
    throw new FleetError('LEDGER_ENTRY_INVALID', `the ledger entry is not valid: ${z.prettifyError(envelope.error)}`);
  const body = FACTS[envelope.data.kind].safeParse(envelope.data.body);
  if (!body.success)
    throw new FleetError(
      'LEDGER_ENTRY_INVALID',
      `the body of ${envelope.data.kind} is not valid: ${z.prettifyError(body.error)}`,
    );
  return { ...envelope.data, body: body.data } as LedgerEntry;
}

/** The entity of a kind: `recording` for `recording.accepted`. */
export function entityOfKind(kind: FactKind): string {
  return kind.slice(0, kind.indexOf('.'));
}
