/** Why: `fleetloop ledger`: verifying recomputes everything on the auditor's machine from what the API hands out. */
import { readFile } from 'node:fs/promises';
import { FleetError } from '@fleetloop/schemas';
import { Command } from 'commander';
import type { RebuildReport } from '../ports.ts';
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import type { CommandClient, CommandIo } from './command-io.ts';
import { decodeEntry } from './entry-coding.ts';
import type { CheckpointAnswer, EntriesPage, LeavesPage, ProofAnswer } from './ledger-routes.ts';
import { verifyConsistency, verifyInclusion } from './merkle-proof.ts';
import { hashLeaf } from './merkle-tree.ts';
import { parseVerifierKey } from './signed-note.ts';
import { type LedgerVerdict, verifyLedger } from './verify-ledger.ts';

type JsonOption = { readonly json?: true };
type VerifyOptions = JsonOption & { readonly key?: string; readonly former?: string };

/** The command `ledger` with its subcommands. */
export function ledgerCommand(io: CommandIo): Command {
  const command = new Command('ledger').description('the append-only record of every fact');
  command
    .command('verify')
    .description('download all entries, recompute the Merkle tree and hold it against the signed checkpoint')
    .option('--key <verifier key>', 'the key that you trust, instead of the one that the server names')
    .option('--former <file>', 'a checkpoint that you kept: the ledger must have grown out of it')
    .option('--json', 'print the verdict as JSON')
    .action(async (options: VerifyOptions) => verify(io, options));
  command
    .command('rebuild')
    .description(
      'replay the ledger into new tables, compare every table with the one that serves, and serve the new ones',
    )
    .option('--json', 'print the comparison as JSON')
    .action(async (options: JsonOption) => rebuild(io, options));
  command
    .command('show <sequence>')
    .description('print one entry')
    .option('--json', 'print it as JSON')
    .action(async (sequence: string, options: JsonOption) => show(io, sequence, options));
  command
    .command('extends <file>')
    .description(
      'check by a proof that the ledger has only grown since a checkpoint that you kept, without reading its entries',
    )
    .option('--key <verifier key>', 'the key that you trust, instead of the one that the server names')
    .option('--json', 'print the verdict as JSON')
    .action(async (file: string, options: VerifyOptions) => proveGrowth(io, file, options));
  command
    .command('proof <sequence>')
    .description('fetch and check the proof that one entry is under the newest checkpoint')
    .option('--key <verifier key>', 'the key that you trust, instead of the one that the server names')
    .option('--json', 'print entry, checkpoint and proof as JSON')
    .action(async (sequence: string, options: VerifyOptions) => prove(io, sequence, options));
  return command;
}

async function verify(io: CommandIo, options: VerifyOptions): Promise<void> {
  const client = await io.client();
  const { checkpoint, verifierKey } = await client.get<CheckpointAnswer>('/v1/ledger/checkpoint', {
    query: { fresh: 'true' },
  });
  const verifier = parseVerifierKey(options.key ?? verifierKey);
  const { checkpoints } = await client.get<{ checkpoints: string[] }>('/v1/ledger/checkpoints');
  const former = options.former === undefined ? [] : [await readFile(options.former, 'utf8')];
  const verdict = await verifyLedger({
    entries: downloadEntries(client),
    checkpoints: [...former, ...checkpoints, checkpoint],
    verifier,
    leaves: downloadLeaves(client),
  });
  if (options.json === true)
    io.print(JSON.stringify({ ...verdict, checkpoint, verifierKey: options.key ?? verifierKey }, null, 2));
  else io.print(describeVerdict(verdict, options.key ?? verifierKey));
  if (!verdict.ok) io.answerNo();
}

function describeVerdict(verdict: LedgerVerdict, key: string): string {
  if (!verdict.ok) return `NOT VERIFIED (${verdict.problem}): ${verdict.message}`;
  const later = verdict.unsigned === 0 ? '' : `; ${verdict.unsigned} newer entries are not signed yet`;
  return `verified: ${verdict.entries} entries, root ${verdict.root}, signed by ${key}${later}`;
}

async function rebuild(io: CommandIo, options: JsonOption): Promise<void> {
  const report = await (await io.client()).post<RebuildReport>('/v1/ledger/rebuild', {});
  if (options.json === true) io.print(JSON.stringify(report, null, 2));
  else io.print(describeRebuild(report));
  if (!report.same) io.answerNo();
}

function describeRebuild({ sequence, seconds, same, tables }: RebuildReport): string {
  const lines = tables.map(({ table, rowsBefore, rowsAfter, digestBefore, digestAfter }) => {
    const verdict = digestBefore === digestAfter ? 'same' : 'DIFFERENT';
    return `${table.padEnd(20)} ${String(rowsBefore).padStart(8)} ${String(rowsAfter).padStart(8)}  ${verdict}`;
  });
  const header = `${'table'.padEnd(20)} ${'before'.padStart(8)} ${'after'.padStart(8)}  answers`;
  return [
    header,
    ...lines,
    `rebuilt from ${sequence} entries in ${seconds.toFixed(2)} s: ${same ? 'the same answers' : 'OTHER ANSWERS; the rebuilt tables serve now'}`,
  ].join('\n');
}

async function show(io: CommandIo, text: string, options: JsonOption): Promise<void> {
  const { sequence, entry } = await fetchEntry(await io.client(), parseSequence(text));
  if (options.json === true) return io.print(JSON.stringify({ sequence, ...entry }, null, 2));
  const reason = entry.reason === undefined ? '' : `\nwhy      ${entry.reason}`;
  io.print(
    `entry    ${sequence}\nwhat     ${entry.kind} of ${entry.subject}\nwhen     ${entry.at}\nwho      ${entry.actor}${reason}\n${JSON.stringify(entry.body, null, 2)}`,
  );
}

async function prove(io: CommandIo, text: string, options: VerifyOptions): Promise<void> {
  const client = await io.client();
  const sequence = parseSequence(text);
  const { checkpoint, verifierKey } = await client.get<CheckpointAnswer>('/v1/ledger/checkpoint', {
    query: { fresh: 'true' },
  });
  const state = openCheckpoint(checkpoint, parseVerifierKey(options.key ?? verifierKey));
  const entry = await fetchEntry(client, sequence);
  const { proof } = await client.get<ProofAnswer>('/v1/ledger/inclusion', { query: { sequence, size: state.size } });
  const hashes = proof.map((hash) => Buffer.from(hash, 'base64'));
  const holds = verifyInclusion({
    index: sequence - 1,
    size: state.size,
    leaf: hashLeaf(entry.bytes),
    root: state.root,
    proof: hashes,
  });
  if (options.json === true)
    io.print(
      JSON.stringify(
        { sequence, holds, entry: Buffer.from(entry.bytes).toString('base64'), proof, checkpoint, verifierKey },
        null,
        2,
      ),
    );
  else
    io.print(
      holds
        ? `entry ${sequence} is under the checkpoint of ${state.size} entries: ${proof.length} hashes prove it\n\n${checkpoint}`
        : `NOT PROVEN: entry ${sequence} is not under the checkpoint of ${state.size} entries`,
    );
  if (!holds) io.answerNo();
}

async function proveGrowth(io: CommandIo, file: string, options: VerifyOptions): Promise<void> {
  const client = await io.client();
  const former = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new FleetError('REQUEST_INVALID', `the checkpoint ${file} cannot be read`, { cause });
  });
  const { checkpoint, verifierKey } = await client.get<CheckpointAnswer>('/v1/ledger/checkpoint', {
    query: { fresh: 'true' },
  });
  const verifier = parseVerifierKey(options.key ?? verifierKey);
  const [before, now] = [openCheckpoint(former, verifier), openCheckpoint(checkpoint, verifier)];
  const holds = before.size <= now.size && (await isPrefix(client, before, now));
  if (options.json === true) io.print(JSON.stringify({ holds, from: before.size, to: now.size, checkpoint }, null, 2));
  else if (holds) io.print(`the ledger of ${now.size} entries has grown out of the kept checkpoint of ${before.size}`);
  else
    io.print(
      `NOT PROVEN: the ledger of ${now.size} entries has not grown out of the kept checkpoint of ${before.size}`,
    );
  if (!holds) io.answerNo();
}

async function isPrefix(client: CommandClient, before: Checkpoint, now: Checkpoint): Promise<boolean> {
  const { proof } = await client.get<ProofAnswer>('/v1/ledger/consistency', {
    query: { from: before.size, to: now.size },
  });
  const hashes = proof.map((hash) => Buffer.from(hash, 'base64'));
  return verifyConsistency({
    formerSize: before.size,
    formerRoot: before.root,
    size: now.size,
    root: now.root,
    proof: hashes,
  });
}

type DownloadedEntry = { readonly sequence: number; readonly bytes: Uint8Array };

async function* downloadEntries(client: CommandClient): AsyncIterable<DownloadedEntry> {
  for (let from: number | null = 1; from !== null; ) {
    const page: EntriesPage = await client.get<EntriesPage>('/v1/ledger/entries', { query: { from } });
    for (const { sequence, bytes } of page.entries) yield { sequence, bytes: Buffer.from(bytes, 'base64') };
    from = page.next;
  }
}

async function* downloadLeaves(client: CommandClient): AsyncIterable<Uint8Array> {
  for (let from: number | null = 0; from !== null; ) {
    const page: LeavesPage = await client.get<LeavesPage>('/v1/ledger/leaves', { query: { from } });
    for (const leaf of page.leaves) yield Buffer.from(leaf, 'hex');
    from = page.next;
  }
}

async function fetchEntry(
  client: CommandClient,
  sequence: number,
): Promise<DownloadedEntry & { readonly entry: ReturnType<typeof decodeEntry> }> {
  const answer = await client.get<{ bytes: string }>(`/v1/ledger/entries/${sequence}`);
  const bytes = Buffer.from(answer.bytes, 'base64');
  return { sequence, bytes, entry: decodeEntry(bytes) };
}

function parseSequence(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new FleetError(
    'REQUEST_INVALID',
    `${JSON.stringify(text)} is not the sequence of an entry: give a number from 1`,
  );
}
