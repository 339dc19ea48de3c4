/** Why: `fleetloop ledger verify` and `export`: the first recomputes everything on the auditor's machine, from the API or from a file that the second wrote. */
import { createWriteStream } from 'node:fs';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { FleetError } from '@fleetloop/schemas';
import { readUnverified } from './checkpoint.ts';
import type { CommandIo } from './command-io.ts';
import { LocalEntryChecks } from './entry-checks.ts';
import { downloadEntries, downloadLeaves, freshCheckpoint } from './ledger-download.ts';
import { writeExport } from './ledger-export.ts';
import { LedgerProgress, WatchedChecks } from './ledger-progress.ts';
import { openExport } from './read-export.ts';
import { parseVerifierKey } from './signed-note.ts';
import { type LedgerEvidence, type LedgerVerdict, verifyLedger } from './verify-ledger.ts';

export type VerifyOptions = {
  readonly json?: true;
  readonly key?: string;
  readonly former?: string;
  readonly keep?: string;
  readonly export?: string;
};

type Evidence = Omit<LedgerEvidence, 'verifier'> & {
  /** The key that the source itself names. */
  readonly key: string;
  /** Entries that it claims to have; undefined where its claim cannot be read. */
  readonly size: number | undefined;
};

export async function verifyCommand(io: CommandIo, options: VerifyOptions): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const checks = (await io.entryChecks?.(resources)) ?? new LocalEntryChecks();
  const former = options.former === undefined ? [] : [await readCheckpoint(options.former)];
  const { key, checkpoints, size, ...evidence } =
    options.export === undefined ? await online(io) : await offline(options.export);
  const trusted = options.key ?? key;
  const verdict = await verifyLedger({
    ...evidence,
    checks: new WatchedChecks(checks, progressOf(io, 'checked', size)),
    checkpoints: [...former, ...checkpoints],
    verifier: parseVerifierKey(trusted),
  });
  const newest = checkpoints.at(-1);
  if (verdict.ok && options.keep !== undefined && newest !== undefined) await writeFile(options.keep, newest);
  if (options.json === true)
    io.print(JSON.stringify({ ...verdict, checkpoint: newest, verifierKey: trusted }, null, 2));
  else io.print(describeVerdict(verdict, trusted, options.key !== undefined));
  if (!verdict.ok) io.answerNo();
}

function progressOf(io: CommandIo, work: string, total: number | undefined): LedgerProgress {
  const say = io.progress ?? (() => undefined);
  return new LedgerProgress({ work, total, say, signal: io.interruption?.(), nowMs: () => performance.now() });
}

async function online(io: CommandIo): Promise<Evidence> {
  const client = await io.client();
  const { checkpoint, verifierKey } = await freshCheckpoint(client);
  const { checkpoints } = await client.get<{ checkpoints: string[] }>('/v1/ledger/checkpoints');
  return {
    key: verifierKey,
    checkpoints: [...checkpoints, checkpoint],
    size: claimedSize(checkpoint),
    entries: downloadEntries(client),
    leaves: downloadLeaves(client),
  };
}

/** A forged checkpoint gets its verdict where it is verified. */
function claimedSize(checkpoint: string): number | undefined {
  try {
    return readUnverified(checkpoint).size;
  } catch {
    return undefined;
  }
}

async function offline(path: string): Promise<Evidence> {
  const { header, checkpoints, entries, leaves } = await openExport(path);
  const size = header.entries;
  return { key: header.key, checkpoints, size, entries: entries(), leaves: leaves(), isWhole: true };
}

function describeVerdict(verdict: LedgerVerdict, key: string, isTrusted: boolean): string {
  if (!verdict.ok) return `NOT VERIFIED (${verdict.problem}): ${verdict.message}`;
  const later = verdict.unsigned === 0 ? '' : `; ${verdict.unsigned} newer entries are not signed yet`;
  const rotations =
    verdict.keys.length === 1 ? '' : `; ${verdict.keys.length} keys have signed it, each announced by the one before`;
  const advice = isTrusted
    ? ''
    : '\nthat key is the one which came with the ledger: give --key to hold it to the one that you trust';
  return `verified: ${verdict.entries} entries, root ${verdict.root}, signed by ${key}${rotations}${later}${advice}`;
}

export async function readCheckpoint(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new FleetError('REQUEST_INVALID', `the checkpoint ${path} cannot be read`, { cause });
  });
}

export type ExportOptions = { readonly out: string; readonly json?: true };

/** Writes beside the file and renames, so that a file of that name is always whole. */
export async function exportCommand(io: CommandIo, { out, json }: ExportOptions): Promise<void> {
  const client = await io.client();
  const { checkpoint, verifierKey } = await freshCheckpoint(client);
  const { checkpoints } = await client.get<{ checkpoints: string[] }>('/v1/ledger/checkpoints');
  const { size } = readUnverified(checkpoint);
  const covered = checkpoints.filter((note) => note !== checkpoint && readUnverified(note).size <= size);
  const unfinished = `${out}.active`;
  const pieces = writeExport({
    key: verifierKey,
    checkpoints: [...covered, checkpoint],
    size,
    leaves: downloadLeaves(client),
    entries: progressOf(io, 'written', size).over(downloadEntries(client)),
  });
  try {
    const signal = io.interruption?.();
    await pipeline(pieces, createWriteStream(unfinished), ...(signal === undefined ? [] : [{ signal }]));
    await flush(unfinished);
    await rename(unfinished, out);
  } catch (error) {
    await rm(unfinished, { force: true });
    if (error instanceof Error && error.name === 'AbortError')
      throw new FleetError('LEDGER_INTERRUPTED', `interrupted: nothing was written to ${out}`);
    throw FleetError.from(error, 'RECORD_WRITE');
  }
  if (json === true) io.print(JSON.stringify({ file: out, entries: size, key: verifierKey, checkpoint }, null, 2));
  else
    io.print(
      `${out}: ${size} entries under the checkpoint signed by ${verifierKey}\nverify it anywhere: fleetloop ledger verify --export ${out} --key '${verifierKey}'`,
    );
}

async function flush(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.sync();
}
