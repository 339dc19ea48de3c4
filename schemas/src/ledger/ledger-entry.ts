/** One entry of the ledger: who, when, what, about which thing, on what evidence, and why. */
import { z } from 'zod';
import { FleetError } from '../errors/fleet-error.ts';
import { digestText } from '../package/bundle.ts';
import { FACTS, type Fact, type FactKind } from './facts.ts';
import { FACT_VERSIONS_MAX, factVersion, readFactBody } from './upcast.ts';

/** Largest entry, bytes; bulk belongs into blobs. */
export const LEDGER_ENTRY_BYTES_MAX = 512 * 1024;

/** What stands around the body, which its kind gives its form. */
export const Envelope = z.strictObject({
  /** Version of the body of this kind. */
  v: z.int().min(1).max(FACT_VERSIONS_MAX),
  kind: z.string().refine((kind): kind is FactKind => kind in FACTS, 'unknown kind of fact'),
  /** RFC 3339 UTC with milliseconds. */
  at: z.iso.datetime(),
  actor: z.string().min(1).max(128),
  /** Ledger subject without the `ledger.` prefix: `<entity>.<key>`. */
  subject: z.string().min(3).max(200),
  reason: z.string().max(4_096).optional(),
  /** Digests that this fact rests on. */
  evidence: z.array(digestText).max(1_000).default([]),
  body: z.unknown(),
});
type Envelope = z.infer<typeof Envelope>;

export type LedgerEntry = {
  /** The newest version of the kind: what was written in an older one has been brought up to it. */
  readonly v: number;
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

/** Reads an entry of any version of its kind. @throws FleetError LEDGER_ENTRY_INVALID */
export function parseLedgerEntry(document: unknown): LedgerEntry {
  const envelope = parseEnvelope(document);
  const { kind } = envelope;
  return { ...envelope, v: factVersion(kind), body: readFactBody(kind, envelope.v, envelope.body) } as LedgerEntry;
}

function parseEnvelope(document: unknown): Envelope {
  const envelope = Envelope.safeParse(document);
  if (envelope.success) return envelope.data;
  throw new FleetError('LEDGER_ENTRY_INVALID', `the ledger entry is not valid: ${z.prettifyError(envelope.error)}`);
}

/** The entity of a kind: `recording` for `recording.accepted`. */
export function entityOfKind(kind: FactKind): string {
  return kind.slice(0, kind.indexOf('.'));
}
