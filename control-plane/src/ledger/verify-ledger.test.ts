import type { NewFact } from '@fleetloop/schemas';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signCheckpoint } from './checkpoint.ts';
import { encodeEntry } from './entry-coding.ts';
import { hashLeaf, rootOfLeaves, type TreeHash } from './merkle-tree.ts';
import { type LedgerVerdict, verifyLedger } from './verify-ledger.ts';

const signer = { name: 'fleetloop/test', ...generateSigningKey() };
const AT = new Date('2026-11-20T00:00:00.000Z');
const COUNT = 60;

function entryBytes(name: string): Uint8Array {
  const body = { vehicleId: name, publicKey: 'U', hardwareRevision: 'A', softwareVersion: '1', place: '' };
  const fact: NewFact = { kind: 'vehicle.enrolled', key: name, actor: 'a', body };
  return encodeEntry(fact, AT).bytes;
}

const ENTRIES = Array.from({ length: COUNT }, (_, index) => entryBytes(`v-${index}`));
const LEAVES = ENTRIES.map(hashLeaf);

async function checkpointAt(size: number): Promise<string> {
  return signCheckpoint({ size, root: await rootOfLeaves(LEAVES.slice(0, size)) }, signer);
}

async function* inOrder(entries: readonly Uint8Array[]): AsyncIterable<{ sequence: number; bytes: Uint8Array }> {
  for (const [index, bytes] of entries.entries()) yield { sequence: index + 1, bytes };
}

async function* hashes(leaves: readonly TreeHash[]): AsyncIterable<TreeHash> {
  yield* leaves;
}

type Options = { readonly checkpoints?: readonly number[]; readonly leaves?: readonly TreeHash[] };

async function verdictOn(entries: readonly Uint8Array[], options: Options = {}): Promise<LedgerVerdict> {
  const checkpoints = await Promise.all((options.checkpoints ?? [COUNT]).map(checkpointAt));
  const leaves = options.leaves === undefined ? {} : { leaves: hashes(options.leaves) };
  return verifyLedger({ entries: inOrder(entries), checkpoints, verifier: signer, ...leaves });
}

describe('verifying the ledger', () => {
  it('accepts what was signed, and counts what is not signed yet', async () => {
    expect(await verdictOn(ENTRIES, { checkpoints: [10, COUNT, 30], leaves: LEAVES })).toMatchObject({
      ok: true,
      entries: COUNT,
      unsigned: 0,
    });
    expect(await verdictOn(ENTRIES, { checkpoints: [10] })).toMatchObject({ ok: true, entries: 10, unsigned: 50 });
    expect(await verdictOn([], { checkpoints: [0] })).toMatchObject({ ok: true, entries: 0 });
  });

  it('finds any alteration, drop, addition and exchange, and names the entry', async () => {
    const forged = entryBytes('forged');
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: COUNT - 2 }), async (at) => {
        const verdict = async (entries: readonly Uint8Array[]): Promise<LedgerVerdict> =>
          verdictOn(entries, { leaves: LEAVES });
        expect(await verdict(ENTRIES.with(at, forged))).toMatchObject({
          ok: false,
          problem: 'altered',
          sequence: at + 1,
        });
        expect(await verdict([...ENTRIES.toSpliced(at, 1), forged])).toMatchObject({
          ok: false,
          problem: 'dropped',
          sequence: at + 1,
        });
        expect(await verdict(ENTRIES.toSpliced(at, 0, forged))).toMatchObject({
          ok: false,
          problem: 'added',
          sequence: at + 1,
        });
        const exchanged = ENTRIES.with(at, ENTRIES[at + 1] as Uint8Array).with(at + 1, ENTRIES[at] as Uint8Array);
        expect(await verdict(exchanged)).toMatchObject({ ok: false, problem: 'reordered', sequence: at + 1 });
      }),
      { numRuns: 20 },
    );
  });

  it('narrows a fault down between checkpoints when nobody kept the leaves', async () => {
    const verdict = await verdictOn(ENTRIES.with(24, entryBytes('forged')), { checkpoints: [10, 20, 30, COUNT] });
    expect(verdict).toMatchObject({ ok: false, problem: 'altered', sequence: 21, toSequence: 30 });
  });

  it('does not believe kept leaves that are not the signed ones', async () => {
    const entries = ENTRIES.with(24, entryBytes('forged'));
    const verdict = await verdictOn(entries, { checkpoints: [20, COUNT], leaves: entries.map(hashLeaf) });
    expect(verdict).toMatchObject({ ok: false, problem: 'altered', sequence: 21, toSequence: COUNT });
    const short = await verdictOn(entries, { leaves: LEAVES.slice(0, 40) });
    expect(short).toMatchObject({ ok: false, sequence: 1, toSequence: COUNT });
  });

  it('names entries that are missing at the end, or that a sequence skips', async () => {
    expect(await verdictOn(ENTRIES.slice(0, 50))).toMatchObject({ ok: false, problem: 'missing', sequence: 51 });
    const skipping = (async function* () {
      yield { sequence: 1, bytes: ENTRIES[0] as Uint8Array };
      yield { sequence: 3, bytes: ENTRIES[2] as Uint8Array };
    })();
    const verdict = await verifyLedger({
      entries: skipping,
      checkpoints: [await checkpointAt(COUNT)],
      verifier: signer,
    });
    expect(verdict).toMatchObject({ ok: false, problem: 'missing', sequence: 2 });
  });

  it.each<[string, Uint8Array]>([
    ['not JSON', Buffer.from('nonsense')],
    [
      'not canonical',
      Buffer.from(
        Buffer.from(ENTRIES[5] as Uint8Array)
          .toString()
          .replace('{', '{ '),
      ),
    ],
    ['with a byte order mark', Buffer.concat([Buffer.from('\ufeff'), ENTRIES[5] as Uint8Array])],
    ['not UTF-8', Buffer.concat([ENTRIES[5] as Uint8Array, Buffer.from([0xff])])],
    [
      'of an unknown kind',
      Buffer.from(
        Buffer.from(ENTRIES[5] as Uint8Array)
          .toString()
          .replace('vehicle.enrolled', 'vehicle.painted'),
      ),
    ],
    [
      'with a field too many',
      Buffer.from(
        Buffer.from(ENTRIES[5] as Uint8Array)
          .toString()
          .replace('"v":1', '"v":1,"w":1'),
      ),
    ],
  ])('names an entry that is %s', async (_, bytes) => {
    expect(await verdictOn(ENTRIES.with(5, bytes), { leaves: LEAVES })).toMatchObject({
      ok: false,
      problem: 'malformed',
      sequence: 6,
    });
  });

  it('refuses a checkpoint of somebody else, an altered one, and none', async () => {
    const verifier = { name: signer.name, ...generateSigningKey() };
    const good = await checkpointAt(COUNT);
    expect(await verifyLedger({ entries: inOrder(ENTRIES), checkpoints: [good], verifier })).toMatchObject({
      ok: false,
      problem: 'checkpoint',
    });
    const altered = good.replace(`\n${COUNT}\n`, '\n59\n');
    expect(await verifyLedger({ entries: inOrder(ENTRIES), checkpoints: [altered], verifier: signer })).toMatchObject({
      ok: false,
      problem: 'checkpoint',
    });
    expect(await verifyLedger({ entries: inOrder(ENTRIES), checkpoints: [], verifier: signer })).toMatchObject({
      ok: false,
      problem: 'checkpoint',
    });
  });

  it('refuses two signed checkpoints that contradict each other', async () => {
    const other = signCheckpoint({ size: 30, root: hashLeaf(Buffer.from('another history')) }, signer);
    const verdict = await verifyLedger({
      entries: inOrder(ENTRIES),
      checkpoints: [await checkpointAt(COUNT), other],
      verifier: signer,
    });
    expect(verdict.ok).toBe(false);
  });
});
