import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Checkpointer,
  FolderCheckpointKeys,
  FolderCheckpoints,
  LEDGER_ORIGIN,
  type LedgerVerdict,
  type NatsLedger,
  openExport,
  parseVerifierKey,
  rotateKey,
  signCheckpoint,
  ThreadedEntryChecks,
  verifierKeyText,
  verifyLedger,
  writeExport,
} from '@fleetloop/control-plane';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enrolled, type LedgerServer, startLedgerServer } from './ledger-server.ts';

const first = { name: LEDGER_ORIGIN, ...generateSigningKey() };
const ENTRIES = 40;
const resources = new AsyncDisposableStack();
let server: LedgerServer;
let ledger: NatsLedger;
let checkpoints: Checkpointer;
let keys: FolderCheckpointKeys;
/** The untouched export, line by line. */
let lines: readonly string[];
let notes: number;
/** Checkpoint over the first entries, under the first key. */
let kept: string;

async function exportLines(): Promise<string[]> {
  const note = await checkpoints.signNow();
  const history = await checkpoints.history(1_000);
  const parts: Uint8Array[] = [];
  const source = { key: checkpoints.verifierKey, checkpoints: history, size: Number(note.split('\n')[1]) };
  for await (const part of writeExport({
    ...source,
    leaves: checkpoints.leaves(0, 1e6),
    entries: ledger.read({ fromSequence: 1 }),
  }))
    parts.push(part);
  return Buffer.concat(parts).toString('utf8').split('\n');
}

beforeAll(async () => {
  server = await startLedgerServer();
  resources.use(server);
  ledger = await server.openLedger();
  keys = await FolderCheckpointKeys.open(join(server.root, 'keys'), first);
  const store = resources.use(await FolderCheckpoints.open(join(server.root, 'checkpoints')));
  checkpoints = resources.use(await Checkpointer.start({ ledger, store, signer: first, keys, entriesMax: 10 }));
  await ledger.append(Array.from({ length: 15 }, (_, index) => enrolled(`v-${index}`)));
  kept = await checkpoints.signNow();
  await rotateKey({ ledger, checkpoints, checkpointKeys: keys }, { actor: 'anna', reason: 'the year is over' });
  await ledger.append(Array.from({ length: ENTRIES - 16 }, (_, index) => enrolled(`w-${index}`)));
  lines = await exportLines();
  notes = Number((JSON.parse(lines[0] ?? '') as { checkpoints: number }).checkpoints);
});
afterAll(async () => resources.disposeAsync());

let files = 0;
async function verdictOn(
  changed: readonly string[],
  options: { readonly key?: string; readonly former?: readonly string[] } = {},
): Promise<LedgerVerdict> {
  files += 1;
  const file = join(server.root, `export-${files}`);
  await writeFile(file, changed.join('\n'));
  const { header, checkpoints: stated, leaves, entries } = await openExport(file);
  await using checks = new ThreadedEntryChecks();
  return await verifyLedger({
    entries: entries(),
    leaves: leaves(),
    checkpoints: [...(options.former ?? []), ...stated],
    verifier: parseVerifierKey(options.key ?? header.key),
    checks,
    isWhole: true,
  });
}

const lineOfEntry = (sequence: number): number => notes + ENTRIES + sequence;
const lineOfLeaf = (sequence: number): number => notes + sequence;
const anyEntry = fc.integer({ min: 1, max: ENTRIES - 1 });
const RUNS = { numRuns: 25 };

describe('an export of the ledger', () => {
  it('verifies offline under the key in force, and under the former one that leads to it', async () => {
    const verdict = await verdictOn(lines);
    expect(verdict).toMatchObject({
      ok: true,
      entries: ENTRIES,
      unsigned: 0,
      keys: [{ fromSize: 0 }, { fromSize: 16 }],
    });
    expect(await verdictOn(lines, { key: verifierKeyText(first), former: [kept] })).toMatchObject({ ok: true });
    const stranger = verifierKeyText({ name: LEDGER_ORIGIN, ...generateSigningKey() });
    expect(await verdictOn(lines, { key: stranger })).toMatchObject({ ok: false, problem: 'checkpoint' });
  });

  it('names any entry that was altered, dropped, added, or changed places with its neighbour', async () => {
    const forged = lines[lineOfEntry(2)]?.replace('"actor":"installer"', '"actor":"nobody"') ?? '';
    await fc.assert(
      fc.asyncProperty(anyEntry, async (sequence) => {
        const at = lineOfEntry(sequence);
        const [one = '', two = ''] = [lines[at], lines[at + 1]];
        expect(await verdictOn(lines.with(at, forged))).toMatchObject({ problem: 'altered', sequence });
        expect(await verdictOn(lines.toSpliced(at, 1))).toMatchObject({ problem: 'dropped', sequence });
        expect(await verdictOn(lines.toSpliced(at, 0, forged))).toMatchObject({ problem: 'added', sequence });
        expect(await verdictOn(lines.with(at, two).with(at + 1, one))).toMatchObject({
          problem: 'reordered',
          sequence,
        });
      }),
      RUNS,
    );
  });

  it('finds an entry that was altered together with its leaf hash, between the checkpoints around it', async () => {
    const [one = '', two = ''] = [lines[lineOfEntry(22)], lines[lineOfLeaf(23)]];
    const changed = lines.with(lineOfEntry(21), one).with(lineOfLeaf(21), two);
    const verdict = await verdictOn(changed);
    expect(verdict).toMatchObject({ ok: false, problem: 'altered' });
    if (!verdict.ok) expect([verdict.sequence <= 21, verdict.toSequence >= 21]).toEqual([true, true]);
  });

  it('is never accepted after any byte of an entry, a leaf hash or a checkpoint was changed', async () => {
    const text = lines.join('\n');
    const from = text.indexOf('\n') + 1;
    const isRefused = async (place: number, put: string): Promise<boolean> => {
      const at = from + (place % (text.length - from));
      if (text[at] === put) return true;
      try {
        const verdict = await verdictOn([text.slice(0, at) + put + text.slice(at + 1)]);
        // A leaf hash only says where a fault lies; the tree over the entries does not need it.
        return !verdict.ok || (at >= offsetOf(notes + 1) && at < offsetOf(notes + 1 + ENTRIES));
      } catch (error) {
        return (error as { code?: string }).code === 'LEDGER_EXPORT_INVALID';
      }
    };
    await fc.assert(fc.asyncProperty(fc.nat(), fc.constantFrom('0', 'f', 'A', '"', '\n', '{', '\u0000'), isRefused), {
      numRuns: 150,
    });
  });

  it('names what was added behind the last checkpoint', async () => {
    const changed = lines.toSpliced(lineOfEntry(ENTRIES) + 1, 0, lines[lineOfEntry(3)] ?? '');
    expect(await verdictOn(changed)).toMatchObject({ problem: 'added', sequence: ENTRIES + 1 });
  });

  it('says from where on entries are missing when the end was left out', async () => {
    const changed = [...lines.slice(0, lineOfEntry(30)), ...lines.slice(lineOfEntry(ENTRIES) + 1)];
    expect(await verdictOn(changed)).toMatchObject({ problem: 'missing', sequence: 30 });
  });

  it('shows a fork: two signed checkpoints of one size, and a kept one that another history bears', async () => {
    const { size, root } = { size: 12, root: Buffer.alloc(32, 7) };
    const forged = signCheckpoint({ size, root }, first);
    const verdict = await verdictOn(lines, { former: [forged] });
    expect(verdict).toMatchObject({ ok: false, problem: 'forked', toSequence: 12 });
    const twin = await verdictOn(lines, { former: [signCheckpoint({ size: 15, root }, first)] });
    expect(twin).toMatchObject({ ok: false, problem: 'forked', toSequence: 15 });
  });

  it('refuses a checkpoint that a former key signed after it was replaced', async () => {
    const late = signCheckpoint({ size: 20, root: Buffer.alloc(32, 7) }, first);
    expect(await verdictOn(lines, { former: [late] })).toMatchObject({ ok: false, problem: 'checkpoint' });
  });

  it.each<[string, (whole: readonly string[]) => readonly string[]]>([
    ['is cut off in the middle of an entry', (whole) => [whole.join('\n').slice(0, -300)]],
    ['has lost its end', (whole) => [...whole.slice(0, -2), '']],
    ['has lost a leaf hash', (whole) => whole.toSpliced(lineOfLeaf(4), 1)],
    ['is empty', () => ['']],
    ['is something else', () => ['{"hello":1}', '']],
    [
      'claims more entries than a file can hold',
      (whole) => whole.with(0, (whole[0] ?? '').replace(/"entries":\d+/, '"entries":9007199254740991')),
    ],
  ])('is refused as a file when it %s', async (_, spoil) => {
    const spoilt = await verdictOn(spoil(lines)).catch((error: unknown) => error);
    if (spoilt instanceof Error) expect(spoilt).toMatchObject({ code: 'LEDGER_EXPORT_INVALID' });
    else expect(spoilt).toMatchObject({ ok: false });
  });
});

describe('the key of the checkpoints', () => {
  it('is found again after a restart, and each checkpoint is under the key of its time', async () => {
    const before = checkpoints.verifierKey;
    await checkpoints[Symbol.asyncDispose]();
    const store = resources.use(await FolderCheckpoints.open(join(server.root, 'checkpoints')));
    const again = resources.use(await Checkpointer.start({ ledger, store, signer: first, keys }));
    expect(again.verifierKey).toBe(before);
    await rotateKey({ ledger, checkpoints: again, checkpointKeys: keys }, { actor: 'anna', reason: 'once more' });
    expect(again.verifierKey).not.toBe(before);
    const verdict = await verifyLedger({
      entries: ledger.read({ fromSequence: 1 }),
      checkpoints: await again.history(1_000),
      verifier: parseVerifierKey(before),
    });
    expect(verdict).toMatchObject({ ok: true, entries: ENTRIES + 1, keys: [{}, {}, { fromSize: ENTRIES + 1 }] });
  });

  it('stops the signing when its file is gone, instead of signing with another', async () => {
    const elsewhere = await FolderCheckpointKeys.open(join(server.root, 'no-keys'), first);
    await using store = await FolderCheckpoints.open(join(server.root, 'checkpoints'));
    await expect(Checkpointer.start({ ledger, store, signer: first, keys: elsewhere })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('is kept where only its owner reads it', async () => {
    const id = /\+([0-9a-f]{8})\+/.exec(checkpoints.verifierKey)?.[1] ?? '';
    const file = await readFile(join(server.root, 'keys', `${id}.json`), 'utf8');
    expect(file).toContain('PRIVATE KEY');
  });
});

function offsetOf(line: number): number {
  return lines.slice(0, line).reduce((sum, each) => sum + Buffer.byteLength(each) + 1, 0);
}
