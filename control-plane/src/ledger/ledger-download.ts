/** Why: what an auditor downloads of a ledger, page by page, so that memory does not grow with it. */
import { FleetError } from '@fleetloop/schemas';
import type { CommandClient } from './command-io.ts';
import { decodeEntry } from './entry-coding.ts';
import { type KeyChain, keyChain, type Rotation } from './key-chain.ts';
import type { CheckpointAnswer, EntriesPage, KeysAnswer, LeavesPage } from './ledger-routes.ts';

export type DownloadedEntry = { readonly sequence: number; readonly bytes: Uint8Array };

export async function freshCheckpoint(client: CommandClient): Promise<CheckpointAnswer> {
  return client.get<CheckpointAnswer>('/v1/ledger/checkpoint', { query: { fresh: 'true' } });
}

/** The keys of the ledger for somebody who trusts one of them, or the one that the server names. */
export async function trustedKeys(client: CommandClient, trusted: string | undefined): Promise<KeyChain> {
  const { verifierKey, rotations } = await client.get<KeysAnswer>('/v1/ledger/keys');
  return keyChain(trusted ?? verifierKey, rotations satisfies readonly Rotation[]);
}

export async function* downloadEntries(client: CommandClient): AsyncIterable<DownloadedEntry> {
  for (let from: number | null = 1; from !== null; ) {
    const page: EntriesPage = await client.get<EntriesPage>('/v1/ledger/entries', { query: { from } });
    for (const { sequence, bytes } of page.entries) yield { sequence, bytes: Buffer.from(bytes, 'base64') };
    from = page.next;
  }
}

export async function* downloadLeaves(client: CommandClient): AsyncIterable<Uint8Array> {
  for (let from: number | null = 0; from !== null; ) {
    const page: LeavesPage = await client.get<LeavesPage>('/v1/ledger/leaves', { query: { from } });
    for (const leaf of page.leaves) yield Buffer.from(leaf, 'hex');
    from = page.next;
  }
}

export type FetchedEntry = DownloadedEntry & { readonly entry: ReturnType<typeof decodeEntry> };
type EntryAnswer = { readonly sequence: number; readonly bytes: string };

export async function fetchEntry(client: CommandClient, sequence: number): Promise<FetchedEntry> {
  return fetched(await client.get<EntryAnswer>(`/v1/ledger/entries/${sequence}`));
}

/** The latest entry about a subject, now or as of a sequence or time. */
export async function fetchLatest(client: CommandClient, subject: string, asOf?: string): Promise<FetchedEntry> {
  return fetched(
    await client.get<EntryAnswer>(`/v1/ledger/subjects/${encodeURIComponent(subject)}`, { query: { asOf } }),
  );
}

function fetched({ sequence, bytes: base64 }: EntryAnswer): FetchedEntry {
  const bytes = Buffer.from(base64, 'base64');
  return { sequence, bytes, entry: decodeEntry(bytes) };
}

export function parseSequence(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new FleetError(
    'REQUEST_INVALID',
    `${JSON.stringify(text)} is not the sequence of an entry: give a number from 1`,
  );
}
