/**
 * Why: the disk of the ledger runs full in the middle of a commit. Nobody may believe that it stands, and repeated when there is
 * room it stands whole, once. A machine that lets nobody mount a small disk has the same from the limit of a stream.
 */
import { NatsLedger } from '@fleetloop/control-plane';
import { FleetError, type NewFact } from '@fleetloop/schemas';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, it } from 'vitest';
import { collect, enrolled, type LedgerServer, startLedgerServer } from './ledger-server.ts';
import { expectVerified } from './verified-ledger.ts';

const MIB = 1_024 * 1_024;
const SMALL_DISK_BYTES = 3 * MIB;
const BATCH_FACTS = 40;
const BATCHES_MAX = 1_000;
/** A connection that was lost with the server comes back in time. */
const ROOMY = { timeout: 30_000 } as const;

function batchOf(round: number): readonly NewFact[] {
  return Array.from({ length: BATCH_FACTS }, (_, index) => enrolled(`v${round}-${index}`, 'x'.repeat(200)));
}

/** Whoever repeats an append says what was there before. */
async function append(ledger: NatsLedger, facts: readonly NewFact[]): Promise<string> {
  const expected = Object.fromEntries(facts.map(({ key }) => [`vehicle.${key}`, 0]));
  return ledger.append(facts, { expect: expected }).then(
    () => 'stored',
    (error: unknown) => (error instanceof FleetError ? `${error.code}: ${error.message}` : String(error)),
  );
}

/** Appends until one append fails. @returns its facts, and what was said of them */
async function appendUntilFull(
  ledger: NatsLedger,
): Promise<{ readonly facts: readonly NewFact[]; readonly said: string }> {
  for (let round = 0; round < BATCHES_MAX; round += 1) {
    const said = await append(ledger, batchOf(round));
    if (said !== 'stored') return { facts: batchOf(round), said };
  }
  throw new Error('the disk was never full');
}

/** How many of these facts the ledger holds, each counted as often as it is there. */
async function standing(ledger: NatsLedger, facts: readonly NewFact[]): Promise<number> {
  const subjects = new Set(facts.map(({ key }) => `vehicle.${key}`));
  const entries = await collect(ledger.read({ fromSequence: 1 }));
  return entries.filter(({ entry }) => subjects.has(entry.subject)).length;
}

async function onSmallDisk(
  skip: (why: string) => void,
  work: (server: NonNullable<Awaited<ReturnType<typeof startOnDisk>>>, ledger: NatsLedger) => Promise<void>,
): Promise<void> {
  await using server = await startOnDisk();
  if (server === undefined) return skip('this machine lets nobody mount a file system in a namespace of its own');
  await work(server, await server.openLedger());
}

const startOnDisk = async () => startLedgerServer({ diskBytes: SMALL_DISK_BYTES });

describe('a commit in the middle of which the disk of the nats-server runs full', () => {
  it('fails with what to do, stays refused, and stands whole and once when it is repeated where there is room', async ({
    skip,
  }) => {
    await onSmallDisk(skip, async (server, ledger) => {
      const { facts, said } = await appendUntilFull(ledger);
      expect(said).toMatch(/^LEDGER_UNAVAILABLE: .*disk has room, then repeat$/);
      expect(await append(ledger, facts)).toMatch(/^LEDGER_UNAVAILABLE: .*no room to append.*restart it, and repeat$/);
      await server.disk.resize(64 * MIB);
      await server.nats.restart();
      // The server may have completed it by itself from what it had received.
      await expect.poll(async () => append(ledger, facts), ROOMY).toMatch(/^stored$|^LEDGER_CONFLICT/);
      expect(await standing(ledger, facts)).toBe(BATCH_FACTS);
      expect(await append(ledger, facts)).toMatch(/^LEDGER_CONFLICT/);
      await expectVerified(ledger, server.root);
    });
  });

  it.for(['whoever made it', 'whoever repeats it'])(
    'that the server has torn, since it was started again on the full disk, is completed by %s',
    async (whoever, { skip }) => {
      await onSmallDisk(skip, async (server, reader) => {
        const connection = await server.connect();
        const maker = await NatsLedger.open(connection, { now: () => new Date() });
        const { facts } = await appendUntilFull(maker);
        if (whoever === 'whoever repeats it') await connection.close();
        await server.nats.restart();
        expect(await append(reader, batchOf(BATCHES_MAX))).toMatch(/^LEDGER_UNAVAILABLE/);
        await server.disk.resize(64 * MIB);
        await server.nats.restart();
        if (whoever === 'whoever repeats it') {
          const torn = await standing(reader, facts);
          expect(torn).toBeLessThan(BATCH_FACTS);
          await expect.poll(async () => append(reader, facts), ROOMY).toMatch(/^stored$|^LEDGER_CONFLICT/);
        }
        await expect.poll(async () => standing(reader, facts), ROOMY).toBe(BATCH_FACTS);
        expect(await append(reader, facts)).toMatch(/^LEDGER_CONFLICT/);
        await expectVerified(reader, server.root);
      });
    },
  );
});

describe('a commit that goes over the limit of the stream', () => {
  it('fails with what to do, and stands whole and once when it is repeated under a higher one', async () => {
    await using server: LedgerServer = await startLedgerServer();
    const ledger = await server.openLedger();
    const manager: JetStreamManager = await jetstreamManager(await server.connect());
    await manager.streams.update('LEDGER', { max_bytes: MIB, discard: 'new' as never });
    const { facts, said } = await appendUntilFull(ledger);
    expect(said).toMatch(/^LEDGER_UNAVAILABLE: .*no room to append.*repeat$/);
    await manager.streams.update('LEDGER', { max_bytes: -1 });
    expect(await append(ledger, facts)).toBe('stored');
    expect(await standing(ledger, facts)).toBe(BATCH_FACTS);
    await expectVerified(ledger, server.root);
  });
});
