/** /v1/ledger: everything that somebody needs to verify the ledger without trusting this process. */
import { FleetError } from '@fleetloop/schemas';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { clientGone } from '../api/client-gone.ts';
import { actorOf, parseRequest } from '../api/request.ts';
import type { CheckpointKeys, Checkpoints, Ledger, Projection, StoredEntry } from '../ports.ts';
import { projectionFor } from '../projection/as-of.ts';
import type { Rotation } from './key-chain.ts';
import { readRotations, type RotatedKey, rotateKey } from './rotate-key.ts';

/** Most entries of one page. */
export const LEDGER_PAGE_ENTRIES_MAX = 1_000;
/** A page ends after the entry that passes this, bytes. */
const LEDGER_PAGE_BYTES = 4 * 1024 * 1024;
export const LEAVES_PAGE_MAX = 50_000;
/** Stored checkpoints that are handed out, the newest. */
export const CHECKPOINT_HISTORY_MAX = 10_000;

const count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const EntriesQuery = z.strictObject({
  from: count.min(1).default(1),
  limit: count.min(1).max(LEDGER_PAGE_ENTRIES_MAX).default(LEDGER_PAGE_ENTRIES_MAX),
});
const LeavesQuery = z.strictObject({
  from: count.default(0),
  limit: count.min(1).max(LEAVES_PAGE_MAX).default(LEAVES_PAGE_MAX),
});
const CheckpointQuery = z.strictObject({ fresh: z.enum(['true', 'false']).default('false') });
const InclusionQuery = z.strictObject({ sequence: count.min(1), size: count.min(1) });
const RotationRequest = z.strictObject({ reason: z.string().min(1).max(4_096) });
const ConsistencyQuery = z.strictObject({ from: count, to: count });

export type LedgerRoutesContext = {
  readonly ledger: Ledger;
  readonly checkpoints: Checkpoints;
  readonly checkpointKeys: CheckpointKeys;
  readonly projection: Projection;
};

/** Answer of GET /v1/ledger/entries: the exact bytes of each entry in base64; ends where `next` is null. */
export type EntriesPage = {
  readonly size: number;
  readonly entries: readonly { readonly sequence: number; readonly bytes: string }[];
  readonly next: number | null;
};
/** Answer of GET /v1/ledger/leaves: hashes in hex. */
export type LeavesPage = { readonly leaves: readonly string[]; readonly next: number | null };
/** Answer of GET /v1/ledger/checkpoint. */
export type CheckpointAnswer = { readonly checkpoint: string; readonly verifierKey: string };
/** Answer of GET /v1/ledger/keys: the key in force, and the rotations that led to it, oldest first. */
export type KeysAnswer = { readonly verifierKey: string; readonly rotations: readonly Rotation[] };
/** Answer of the proof routes: hashes in base64. */
export type ProofAnswer = { readonly proof: readonly string[] };

export function registerLedgerRoutes(app: FastifyInstance, context: LedgerRoutesContext): void {
  const { ledger, checkpoints, projection } = context;
  app.get('/v1/ledger', async () => ({ size: await ledger.size(), projected: projection.appliedSequence() }));
  app.get('/v1/ledger/entries', async (request): Promise<EntriesPage> => {
    const { from, limit } = parseRequest(EntriesQuery, request.query, 'query');
    return entriesPage(ledger, from, limit);
  });
  app.get('/v1/ledger/entries/:sequence', async (request) => {
    const { sequence } = parseRequest(z.object({ sequence: count.min(1) }), request.params, 'path');
    for await (const stored of ledger.read({ fromSequence: sequence, toSequence: sequence })) return encoded(stored);
    throw new FleetError('NOT_FOUND', `the ledger has no entry ${sequence}`);
  });
  app.get('/v1/ledger/subjects/:subject', async (request) => {
    const { subject } = parseRequest(z.object({ subject: z.string().max(200) }), request.params, 'path');
    return latestOf(context, subject, request.query);
  });
  app.post('/v1/ledger/rebuild', async (_request, reply) => projection.rebuild(clientGone(reply)));
  registerCheckpointRoutes(app, checkpoints);
  registerKeyRoutes(app, context);
}

function registerKeyRoutes(app: FastifyInstance, context: LedgerRoutesContext): void {
  app.get('/v1/ledger/keys', async (): Promise<KeysAnswer> => {
    // Signed first, so that the rotations are those that led to the key in force.
    await context.checkpoints.signNow();
    return { verifierKey: context.checkpoints.verifierKey, rotations: await readRotations(context.ledger) };
  });
  app.post('/v1/ledger/keys', async (request): Promise<RotatedKey> => {
    const { reason } = parseRequest(RotationRequest, request.body);
    return rotateKey(context, { actor: actorOf(request), reason });
  });
}

function registerCheckpointRoutes(app: FastifyInstance, checkpoints: Checkpoints): void {
  app.get('/v1/ledger/checkpoint', async (request): Promise<CheckpointAnswer> => {
    const { fresh } = parseRequest(CheckpointQuery, request.query, 'query');
    const checkpoint = fresh === 'true' ? await checkpoints.signNow() : await checkpoints.latest();
    return { checkpoint, verifierKey: checkpoints.verifierKey };
  });
  app.get('/v1/ledger/checkpoints', async () => ({
    checkpoints: await checkpoints.history(CHECKPOINT_HISTORY_MAX),
    verifierKey: checkpoints.verifierKey,
  }));
  app.get('/v1/ledger/leaves', async (request): Promise<LeavesPage> => {
    const { from, limit } = parseRequest(LeavesQuery, request.query, 'query');
    const leaves: string[] = [];
    for await (const leaf of checkpoints.leaves(from, from + limit)) leaves.push(hex(leaf));
    return { leaves, next: leaves.length === limit ? from + limit : null };
  });
  app.get('/v1/ledger/inclusion', async (request): Promise<ProofAnswer> => {
    const { sequence, size } = parseRequest(InclusionQuery, request.query, 'query');
    return proofAnswer(await checkpoints.inclusion(sequence - 1, size));
  });
  app.get('/v1/ledger/consistency', async (request): Promise<ProofAnswer> => {
    const { from, to } = parseRequest(ConsistencyQuery, request.query, 'query');
    return proofAnswer(await checkpoints.consistency(from, to));
  });
}

async function entriesPage(ledger: Ledger, from: number, limit: number): Promise<EntriesPage> {
  const size = await ledger.size();
  const entries: { sequence: number; bytes: string }[] = [];
  let pageBytes = 0;
  for await (const stored of ledger.read({ fromSequence: from, toSequence: Math.min(size, from + limit - 1) })) {
    entries.push({ sequence: stored.sequence, bytes: Buffer.from(stored.bytes).toString('base64') });
    pageBytes += stored.bytes.length;
    if (pageBytes >= LEDGER_PAGE_BYTES) break;
  }
  const next = (entries.at(-1)?.sequence ?? size) + 1;
  return { size, entries, next: next > size ? null : next };
}

/** The latest entry about one thing, now or as of a sequence or time. */
async function latestOf(
  { ledger, projection }: LedgerRoutesContext,
  subject: string,
  query: unknown,
): Promise<ReturnType<typeof encoded>> {
  const dot = subject.indexOf('.');
  const view = await projectionFor(projection, query);
  const [latest] = await view.query(
    'SELECT max(sequence) AS sequence FROM facts WHERE entity = $entity AND key = $key',
    { entity: subject.slice(0, dot), key: subject.slice(dot + 1) },
  );
  const sequence = Number(latest?.['sequence'] ?? 0);
  if (sequence > 0)
    for await (const stored of ledger.read({ fromSequence: sequence, toSequence: sequence })) return encoded(stored);
  throw new FleetError('NOT_FOUND', `the ledger says nothing about ${subject} as of entry ${view.appliedSequence()}`);
}

function encoded({ sequence, bytes, entry }: StoredEntry): { sequence: number; bytes: string; entry: unknown } {
  return { sequence, bytes: Buffer.from(bytes).toString('base64'), entry };
}

function proofAnswer(hashes: readonly Uint8Array[]): ProofAnswer {
  return { proof: hashes.map((hash) => Buffer.from(hash).toString('base64')) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
