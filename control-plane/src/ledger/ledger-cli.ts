/** Why: `fleetloop ledger`: what an auditor asks of the ledger, each answer checked on the auditor's machine. */
import { Command } from 'commander';
import type { RebuildReport } from '../ports.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { CommandClient, CommandIo } from './command-io.ts';
import { openInChain } from './key-chain.ts';
import { fetchEntry, fetchLatest, freshCheckpoint, parseSequence, trustedKeys } from './ledger-download.ts';
import type { ProofAnswer } from './ledger-routes.ts';
import { verifyConsistency, verifyInclusion } from './merkle-proof.ts';
import { hashLeaf } from './merkle-tree.ts';
import type { RotatedKey } from './rotate-key.ts';
import { exportCommand, type ExportOptions, readCheckpoint, verifyCommand, type VerifyOptions } from './verify-cli.ts';

type JsonOption = { readonly json?: true };
type ShowOptions = JsonOption & { readonly asOf?: string };
type KeyOptions = JsonOption & { readonly key?: string };

/** The command `ledger` with its subcommands. */
export function ledgerCommand(io: CommandIo): Command {
  const command = new Command('ledger').description('the append-only record of every fact');
  command
    .command('verify')
    .description('recompute the Merkle tree from all entries and hold it against the signed checkpoints')
    .option('--export <file>', 'verify this export, without any server, instead of the ledger that the API hands out')
    .option('--key <verifier key>', 'the key that you trust, instead of the one that comes with the ledger')
    .option('--former <file>', 'a checkpoint that you kept: the ledger must have grown out of it')
    .option('--keep <file>', 'where the ledger is verified, write its newest checkpoint here, for a later --former')
    .option('--json', 'print the verdict as JSON')
    .action(async (options: VerifyOptions) => verifyCommand(io, options));
  command
    .command('export')
    .description('write entries, leaf hashes and checkpoints to one file that verifies without a server')
    .requiredOption('--out <file>', 'the file; one that is there is replaced once the new one is whole')
    .option('--json', 'print what was written as JSON')
    .action(async (options: ExportOptions) => exportCommand(io, options));
  command
    .command('rotate-key')
    .description(
      'sign checkpoints with a new key from now on, announced in the ledger under the signature of the former one',
    )
    .requiredOption('--reason <text>', 'why the key is changed; it becomes part of the fact')
    .option('--json', 'print the keys as JSON')
    .action(async (options: JsonOption & { readonly reason: string }) => rotate(io, options));
  command
    .command('rebuild')
    .description(
      'replay the ledger into new tables, compare every table with the one that serves, and serve the new ones',
    )
    .option('--json', 'print the comparison as JSON')
    .action(async (options: JsonOption) => rebuild(io, options));
  command
    .command('show')
    .description('print one entry')
    .argument('<entry>', 'its sequence, or a subject such as vehicle.v-1, of which the latest entry is shown')
    .option('--as-of <sequence or time>', 'the latest about the subject at a ledger entry or an RFC 3339 time')
    .option('--json', 'print it as JSON')
    .action(async (which: string, options: ShowOptions) => show(io, which, options));
  command
    .command('extends <file>')
    .description(
      'check by a proof that the ledger has only grown since a checkpoint that you kept, without reading its entries',
    )
    .option('--key <verifier key>', 'the key that you trust, instead of the one that comes with the ledger')
    .option('--json', 'print the verdict as JSON')
    .action(async (file: string, options: KeyOptions) => proveGrowth(io, file, options));
  command
    .command('proof <sequence>')
    .description('fetch and check the proof that one entry is under the newest checkpoint')
    .option('--key <verifier key>', 'the key that you trust, instead of the one that comes with the ledger')
    .option('--json', 'print entry, checkpoint and proof as JSON')
    .action(async (sequence: string, options: KeyOptions) => prove(io, sequence, options));
  return command;
}

async function rotate(io: CommandIo, { reason, json }: JsonOption & { readonly reason: string }): Promise<void> {
  const rotated = await (await io.client()).post<RotatedKey>('/v1/ledger/keys', { reason });
  if (json === true) return io.print(JSON.stringify(rotated, null, 2));
  const { sequence, formerKey, key } = rotated;
  io.print(
    `checkpoints are signed by ${key} from entry ${sequence} on\nbefore it by              ${formerKey}\nwho trusts either key can verify the whole ledger`,
  );
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

async function show(io: CommandIo, which: string, options: ShowOptions): Promise<void> {
  const client = await io.client();
  const { sequence, entry } = which.includes('.')
    ? await fetchLatest(client, which, options.asOf)
    : await fetchEntry(client, parseSequence(which));
  if (options.json === true) return io.print(JSON.stringify({ sequence, ...entry }, null, 2));
  const reason = entry.reason === undefined ? '' : `\nwhy      ${entry.reason}`;
  io.print(
    `entry    ${sequence}\nwhat     ${entry.kind} of ${entry.subject}\nwhen     ${entry.at}\nwho      ${entry.actor}${reason}\n${JSON.stringify(entry.body, null, 2)}`,
  );
}

async function prove(io: CommandIo, text: string, options: KeyOptions): Promise<void> {
  const client = await io.client();
  const sequence = parseSequence(text);
  const { checkpoint, verifierKey } = await freshCheckpoint(client);
  const state = openInChain(checkpoint, await trustedKeys(client, options.key));
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

async function proveGrowth(io: CommandIo, file: string, options: KeyOptions): Promise<void> {
  const client = await io.client();
  const former = await readCheckpoint(file);
  const { checkpoint } = await freshCheckpoint(client);
  const keys = await trustedKeys(client, options.key);
  const [before, now] = [openInChain(former, keys), openInChain(checkpoint, keys)];
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
