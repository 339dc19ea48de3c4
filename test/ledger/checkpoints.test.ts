import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Checkpointer,
  FolderCheckpoints,
  LEDGER_ORIGIN,
  type LedgerVerdict,
  NatsLedger,
  parseVerifierKey,
  verifyLedger,
} from '@fleetloop/control-plane';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { enrolled, type LedgerServer, startLedgerServer } from './ledger-server.ts';

const key = generateSigningKey();
const signer = { name: LEDGER_ORIGIN, privateKeyPem: key.privateKeyPem, publicKeyPem: key.publicKeyPem };
let server: LedgerServer;
let ledger: NatsLedger;

beforeAll(async () => {
  server = await startLedgerServer();
  ledger = await server.openLedger();
});
afterAll(async () => server[Symbol.asyncDispose]());

let folders = 0;
function newFolder(): string {
  folders += 1;
  return join(server.root, `checkpoints-${folders}`);
}

async function verdictOf(checkpoints: Checkpointer): Promise<LedgerVerdict> {
  const note = await checkpoints.signNow();
  const verifier = parseVerifierKey(checkpoints.verifierKey);
  return verifyLedger({
    entries: ledger.read({ fromSequence: 1 }),
    checkpoints: [...(await checkpoints.history(1_000)), note],
    verifier,
    leaves: checkpoints.leaves(0, 1e9),
  });
}

describe('the checkpointer', () => {
  it('signs what the ledger holds, and the whole ledger verifies against it', async () => {
    await using store = await FolderCheckpoints.open(newFolder());
    await using checkpoints = await Checkpointer.start({ ledger, store, signer });
    await ledger.append(Array.from({ length: 250 }, (_, index) => enrolled(`v-${index}`)));
    const size = await ledger.size();
    expect(await verdictOf(checkpoints)).toMatchObject({ ok: true, entries: size, unsigned: 0 });
  });

  it('signs by itself after an interval', async () => {
    await using store = await FolderCheckpoints.open(newFolder());
    await using checkpoints = await Checkpointer.start({ ledger, store, signer, intervalMs: 10 });
    await ledger.append([enrolled('later')]);
    const size = await ledger.size();
    await vi.waitFor(async () => expect(await checkpoints.latest()).toContain(`\n${size}\n`), { timeout: 10_000 });
  });

  it('goes on from what it had signed', async () => {
    const folder = newFolder();
    const first = await startIn(folder);
    const note = await first.signNow();
    await first[Symbol.asyncDispose]();
    await ledger.append([enrolled('next')]);
    await using again = await startIn(folder);
    expect(await verdictOf(again)).toMatchObject({ ok: true });
    expect(await again.history(100)).toContain(note);
  });

  it('finds its place again after a crash in the middle of writing leaves', async () => {
    const folder = newFolder();
    const first = await startIn(folder);
    await first.signNow();
    await first[Symbol.asyncDispose]();
    await writeFile(join(folder, 'leaves.sha256'), Buffer.alloc(17), { flag: 'a' });
    await using again = await startIn(folder);
    expect(await verdictOf(again)).toMatchObject({ ok: true });
  });

  it.each<[string, (folder: string) => Promise<void>]>([
    ['the leaf hashes were cut', async (folder) => truncate(join(folder, 'leaves.sha256'), 32)],
    [
      'a leaf hash was altered',
      async (folder) => {
        const leaves = await readFile(join(folder, 'leaves.sha256'));
        leaves[40] = (leaves[40] ?? 0) ^ 1;
        await writeFile(join(folder, 'leaves.sha256'), leaves);
      },
    ],
    [
      'a checkpoint was altered',
      async (folder) => {
        const name =
          (await readdir(folder))
            .filter((file) => file.endsWith('.checkpoint'))
            .sort()
            .at(-1) ?? '';
        const note = await readFile(join(folder, name), 'utf8');
        await writeFile(join(folder, name), note.replace(/\n\d+\n/, '\n1\n'));
      },
    ],
  ])('refuses to sign when %s', async (_, spoil) => {
    const folder = newFolder();
    const first = await startIn(folder);
    await first.signNow();
    await first[Symbol.asyncDispose]();
    await spoil(folder);
    await expect(startIn(folder)).rejects.toMatchObject({ code: 'LEDGER_TAMPERED' });
  });

  it('refuses to sign a ledger that was replaced by another', async () => {
    await using other = await startLedgerServer();
    const second = await other.openLedger();
    const folder = newFolder();
    const first = await startIn(folder);
    await first.signNow();
    await first[Symbol.asyncDispose]();
    await using store = await FolderCheckpoints.open(folder);
    await expect(Checkpointer.start({ ledger: second, store, signer })).rejects.toMatchObject({
      code: 'LEDGER_TAMPERED',
    });
    const size = await ledger.size();
    await second.append(Array.from({ length: size }, (_, index) => enrolled(`forged-${index}`)));
    await expect(Checkpointer.start({ ledger: second, store, signer })).rejects.toMatchObject({
      code: 'LEDGER_TAMPERED',
    });
  });

  it('notices that a stream was deleted and made anew with other entries', async () => {
    await using other = await startLedgerServer();
    const original = await other.openLedger();
    await original.append(Array.from({ length: 20 }, (_, index) => enrolled(`v-${index}`)));
    await using store = await FolderCheckpoints.open(newFolder());
    const checkpoints = await Checkpointer.start({ ledger: original, store, signer });
    const note = await checkpoints.signNow();
    await checkpoints[Symbol.asyncDispose]();
    const connection = await other.connect();
    await (await jetstreamManager(connection)).streams.delete('LEDGER');
    const forged = await NatsLedger.open(connection, { now: () => new Date() });
    await forged.append(Array.from({ length: 20 }, (_, index) => enrolled(index === 12 ? 'forged' : `v-${index}`)));
    const verdict = await verifyLedger({
      entries: forged.read({ fromSequence: 1 }),
      checkpoints: [note],
      verifier: parseVerifierKey(checkpoints.verifierKey),
    });
    expect(verdict).toMatchObject({ ok: false, problem: 'altered', sequence: 1, toSequence: 20 });
  });
});

async function startIn(folder: string): Promise<Checkpointer> {
  const store = await FolderCheckpoints.open(folder);
  try {
    const checkpointer = await Checkpointer.start({ ledger, store, signer });
    opened.push(store);
    return checkpointer;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

const opened: FolderCheckpoints[] = [];
afterAll(async () => {
  for (const store of opened) await store[Symbol.asyncDispose]();
});
