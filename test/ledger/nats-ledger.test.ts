import { NatsLedger } from '@fleetloop/control-plane';
import { FleetError, type NewFact } from '@fleetloop/schemas';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collect, enrolled, type LedgerServer, startLedgerServer } from './ledger-server.ts';

let server: LedgerServer;
let ledger: NatsLedger;
let vehicle: string;
let counter = 0;

beforeAll(async () => {
  server = await startLedgerServer();
  ledger = await server.openLedger();
});
afterAll(async () => server[Symbol.asyncDispose]());
beforeEach(() => {
  counter += 1;
  vehicle = `vehicle-${counter}`;
});

async function refusalOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => 'no refusal',
    (error: unknown) => (error instanceof FleetError ? error.code : String(error)),
  );
  return outcome;
}

describe('the ledger on a real nats-server', () => {
  it('gives back what was appended, with the actor and the time', async () => {
    const { sequences } = await ledger.append([enrolled(vehicle)]);
    const [stored] = await collect(ledger.read({ fromSequence: sequences[0] ?? 0 }));
    expect(stored?.entry).toMatchObject({
      kind: 'vehicle.enrolled',
      actor: 'installer',
      subject: `vehicle.${vehicle}`,
      body: { vehicleId: vehicle },
    });
    expect(Date.parse(stored?.entry.at ?? '')).toBeGreaterThan(Date.now() - 60_000);
  });

  it('refuses a writer who decided on an old state', async () => {
    const { sequences } = await ledger.append([enrolled(vehicle)], { expect: { [`vehicle.${vehicle}`]: 0 } });
    expect(await refusalOf(ledger.append([enrolled(vehicle)], { expect: { [`vehicle.${vehicle}`]: 0 } }))).toBe(
      'LEDGER_CONFLICT',
    );
    expect(await ledger.lastSequenceOf(`vehicle.${vehicle}`)).toBe(sequences[0]);
    await ledger.append([enrolled(vehicle)], { expect: { [`vehicle.${vehicle}`]: sequences[0] ?? 0 } });
  });

  it('lets exactly one of many concurrent writers win, on connections of their own', async () => {
    const writers = await Promise.all(Array.from({ length: 4 }, async () => server.openLedger()));
    const sizeBefore = await ledger.size();
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, async (_, index) =>
        refusalOf(
          (writers[index % 4] as NatsLedger).append([enrolled(vehicle)], { expect: { [`vehicle.${vehicle}`]: 0 } }),
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'no refusal')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'LEDGER_CONFLICT')).toHaveLength(39);
    expect(await ledger.size()).toBe(sizeBefore + 1);
  });

  it('appends several facts with consecutive sequences', async () => {
    const facts = Array.from({ length: 200 }, (_, index) => enrolled(`${vehicle}-${index}`));
    const sizeBefore = await ledger.size();
    const { sequences } = await ledger.append(facts);
    expect(sequences).toEqual(facts.map((_, index) => sizeBefore + 1 + index));
    const stored = await collect(ledger.read({ fromSequence: sizeBefore + 1 }));
    expect(stored.map(({ entry }) => entry.subject)).toEqual(facts.map((fact) => `vehicle.${fact.key}`));
  });

  it('appends nothing of several facts when one of them conflicts', async () => {
    await ledger.append([enrolled(`${vehicle}-c`)]);
    const sizeBefore = await ledger.size();
    const facts = ['a', 'b', 'c'].map((suffix) => enrolled(`${vehicle}-${suffix}`));
    expect(await refusalOf(ledger.append(facts, { expect: { [`vehicle.${vehicle}-c`]: 0 } }))).toBe('LEDGER_CONFLICT');
    expect(await ledger.size()).toBe(sizeBefore);
    expect(await ledger.lastSequenceOf(`vehicle.${vehicle}-a`)).toBe(0);
  });

  it('takes several facts about one subject in one append', async () => {
    const { sequences } = await ledger.append([enrolled(vehicle, 'Oulu'), enrolled(vehicle, 'Kemi')], {
      expect: { [`vehicle.${vehicle}`]: 0 },
    });
    expect(await ledger.lastSequenceOf(`vehicle.${vehicle}`)).toBe(sequences[1]);
  });

  it.each<[string, Partial<NewFact>]>([
    ['a key that is two tokens', { key: 'a.b' }],
    ['a key that is a wildcard', { key: '*' }],
    ['an empty key', { key: '' }],
    ['an empty actor', { actor: '' }],
    ['a body of another kind', { body: { recording: 'x' } } as unknown as Partial<NewFact>],
    ['evidence that is no digest', { evidence: ['abc'] }],
    ['a reason over its limit', { reason: 'x'.repeat(5_000) }],
    ['an unknown kind', { kind: 'vehicle.painted' } as unknown as Partial<NewFact>],
  ])('refuses %s before it reaches the server', async (_, wrong) => {
    const sizeBefore = await ledger.size();
    expect(await refusalOf(ledger.append([{ ...enrolled(vehicle), ...wrong } as NewFact]))).toBe(
      'LEDGER_ENTRY_INVALID',
    );
    expect(await ledger.size()).toBe(sizeBefore);
  });

  it('refuses an append of nothing, of too many, and an expectation about another subject', async () => {
    expect(await refusalOf(ledger.append([]))).toBe('LEDGER_ENTRY_INVALID');
    expect(await refusalOf(ledger.append(Array.from({ length: 1_001 }, () => enrolled(vehicle))))).toBe(
      'LEDGER_ENTRY_INVALID',
    );
    expect(await refusalOf(ledger.append([enrolled(vehicle)], { expect: { 'vehicle.other': 0 } }))).toBe(
      'LEDGER_ENTRY_INVALID',
    );
  });

  it('lets nobody delete or purge entries, or lift that rule', async () => {
    const connection = await server.connect();
    const manager = await jetstreamManager(connection);
    await expect(manager.streams.deleteMessage('LEDGER', 1)).rejects.toThrow(/not permitted/);
    await expect(manager.streams.purge('LEDGER')).rejects.toThrow(/not permitted/);
    await expect(manager.streams.update('LEDGER', { deny_delete: false })).rejects.toThrow(/can not cancel deny/);
  });

  it('follows appends as they come, until it is told to stop', async () => {
    const stop = new AbortController();
    const from = (await ledger.size()) + 1;
    const seen: number[] = [];
    const following = (async () => {
      for await (const { sequence } of ledger.follow({ fromSequence: from, signal: stop.signal })) {
        seen.push(sequence);
        if (seen.length === 30) stop.abort();
      }
    })();
    for (let index = 0; index < 30; index += 1) await ledger.append([enrolled(`${vehicle}-${index}`)]);
    await following;
    expect(seen).toEqual(Array.from({ length: 30 }, (_, index) => from + index));
  });

  it('names an entry that was written past it', async () => {
    await using other = await startLedgerServer();
    const open = await other.openLedger();
    await open.append([enrolled('v-1')]);
    await jetstream(await other.connect()).publish('ledger.vehicle.v-2', '{"not":"an entry"}');
    await expect(collect(open.read({ fromSequence: 1 }))).rejects.toMatchObject({
      code: 'LEDGER_TAMPERED',
      details: { sequence: 2 },
    });
  });

  it('refuses a stream of its name that could lose entries', async () => {
    await using other = await startLedgerServer();
    const connection = await other.connect();
    await (await jetstreamManager(connection)).streams.add({ name: 'LEDGER', subjects: ['ledger.>'] });
    expect(await refusalOf(NatsLedger.open(connection, { now: () => new Date() }))).toBe('CONFIG_INVALID');
  });
});

describe('a ledger whose server is killed', () => {
  it('keeps every acknowledged entry, and followers go on where they were', async () => {
    await using own = await startLedgerServer();
    const open = await own.openLedger();
    const stop = new AbortController();
    const seen: number[] = [];
    const reached = Promise.withResolvers<void>();
    const following = (async () => {
      for await (const { sequence } of open.follow({ fromSequence: 1, signal: stop.signal })) {
        seen.push(sequence);
        if (sequence === 60) reached.resolve();
      }
    })();
    for (let index = 0; index < 50; index += 1) await open.append([enrolled(`v-${index}`)]);
    await own.nats.kill();
    await own.nats.restart();
    expect(await open.size()).toBe(50);
    await open.append(Array.from({ length: 10 }, (_, index) => enrolled(`w-${index}`)));
    await reached.promise;
    stop.abort();
    await following;
    expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
    expect(await collect(open.read({ fromSequence: 1 }))).toHaveLength(60);
  });
});
