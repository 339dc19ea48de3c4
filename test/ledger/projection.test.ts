import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckdbProjection, type NatsLedger } from '@fleetloop/control-plane';
import { FACTS } from '@fleetloop/schemas';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digest, fleetStory } from './fleet-story.ts';
import { enrolled, type LedgerServer, startLedgerServer } from './ledger-server.ts';

let server: LedgerServer;
let ledger: NatsLedger;
let projection: DuckdbProjection;
let folder: string;

beforeAll(async () => {
  server = await startLedgerServer();
  ledger = await server.openLedger();
  folder = join(server.root, 'projection');
  for (const fact of fleetStory()) await ledger.append([fact]);
  projection = await DuckdbProjection.open({ folder, ledger });
  await projection.waitFor(await ledger.size());
});
afterAll(async () => {
  await projection[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const TABLES = ['facts', 'vehicles', 'recordings', 'gates', 'rollouts', 'nodes', 'edges', 'names'];

async function answers(of: DuckdbProjection): Promise<unknown> {
  const tables = await Promise.all(TABLES.map(async (table) => of.query(`SELECT * FROM ${table} ORDER BY ALL`)));
  return tables;
}

describe('the projection', () => {
  it('holds a row for every kind of fact', async () => {
    const rows = await projection.query('SELECT DISTINCT kind FROM facts ORDER BY kind');
    expect(rows.map((row) => row['kind'])).toEqual(Object.keys(FACTS).sort());
  });

  it('lets a writer read its own write', async () => {
    const { sequences } = await ledger.append([enrolled('v-3')]);
    await projection.waitFor(sequences[0] ?? 0);
    expect(await projection.query("SELECT place FROM vehicles WHERE vehicle_id = 'v-3'")).toEqual([{ place: 'Oulu' }]);
  });

  it('gives up waiting for an entry that does not come', async () => {
    const waiting = projection.waitFor(1_000_000, AbortSignal.timeout(50));
    await expect(waiting).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' });
  });

  it('gives the latest fact per key, all of them, and those as of an earlier entry', async () => {
    const actions = await projection.facts('rollout.action', { key: 'ro-2', every: true });
    expect(actions.map((fact) => fact.body.state)).toEqual(['assigned', 'confirmed', 'rolled_back']);
    const [latest, ...others] = await projection.facts('rollout.action', { key: 'ro-2' });
    expect(others).toEqual([]);
    expect(latest).toEqual(actions[2]);
    const [before] = await projection.facts('rollout.action', {
      key: 'ro-2',
      asOfSequence: (latest?.sequence ?? 0) - 1,
    });
    expect(before?.body.state).toBe('confirmed');
  });

  it('gives a fact back as it was written', async () => {
    const [fact] = await projection.facts('dataset.frozen', { key: 'terrain-v1' });
    const { sequence, ...entry } = fact ?? { sequence: 0 };
    for await (const stored of ledger.read({ fromSequence: sequence, toSequence: sequence }))
      expect(entry).toEqual(stored.entry);
  });

  it.each([
    ['a write', 'INSERT INTO vehicles (sequence) VALUES (1)'],
    ['two statements', 'SELECT 1; DROP TABLE facts'],
    ['a copy to a file', "COPY facts TO '/tmp/x'"],
    ['a look at other files', "SELECT * FROM read_text('/etc/hostname')"],
    ['what does not parse', 'SELEC 1'],
    ['an unknown table', 'SELECT * FROM nothing'],
  ])('refuses %s', async (_, sql) => {
    await expect(projection.query(sql)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    expect(await projection.query('SELECT count(*) > 0 AS there FROM facts')).toEqual([{ there: true }]);
  });

  it('keeps text that looks like SQL as text', async () => {
    const hostile = "x'); DROP TABLE facts; --";
    const { sequences } = await ledger.append([enrolled('v-4', hostile)]);
    await projection.waitFor(sequences[0] ?? 0);
    expect(await projection.query('SELECT vehicle_id FROM vehicles WHERE place = $place', { place: hostile })).toEqual([
      { vehicle_id: 'v-4' },
    ]);
  });

  it('gives the same answers, table by table, after a rebuild beside the serving file', async () => {
    const before = await answers(projection);
    const report = await projection.rebuild();
    expect(report.same).toBe(true);
    expect(report.tables.find((table) => table.table === 'edges')?.rowsAfter).toBeGreaterThan(50);
    expect(await answers(projection)).toEqual(before);
    expect((await readdir(folder)).filter((name) => name.endsWith('.duckdb'))).toHaveLength(1);
  });

  it('answers and takes entries while it is rebuilt', async () => {
    const rebuilding = projection.rebuild();
    const { sequences } = await ledger.append(Array.from({ length: 50 }, (_, index) => enrolled(`busy-${index}`)));
    await projection.query('SELECT count(*) FROM facts');
    await projection.waitFor(sequences.at(-1) ?? 0);
    expect((await rebuilding).same).toBe(true);
    expect(
      await projection.query("SELECT count(*) AS vehicles FROM vehicles WHERE starts_with(vehicle_id, 'busy-')"),
    ).toEqual([{ vehicles: 50n }]);
  });

  it('gives the same answers from a folder of its own', async () => {
    await using other = await DuckdbProjection.open({ folder: join(server.root, 'other'), ledger });
    await other.waitFor(await ledger.size());
    await projection.waitFor(await ledger.size());
    expect(await answers(other)).toEqual(await answers(projection));
  });

  it.each<[string, (path: string) => Promise<void>]>([
    ['is damaged', async (path) => writeFile(path, 'not a database')],
    ['is of another version', async (path) => alter(path, 'UPDATE applied SET projection_version = 999')],
    ['is ahead of the ledger', async (path) => alter(path, 'UPDATE applied SET sequence = 1000000')],
  ])('replays a file that %s', async (_, spoil) => {
    const own = join(server.root, `spoilt-${_.replaceAll(' ', '-')}`);
    const first = await DuckdbProjection.open({ folder: own, ledger });
    await first.waitFor(await ledger.size());
    await first[Symbol.asyncDispose]();
    const name = (await readdir(own)).find((file) => file.endsWith('.duckdb')) ?? '';
    await spoil(join(own, name));
    await using again = await DuckdbProjection.open({ folder: own, ledger });
    await again.waitFor(await ledger.size());
    expect(await answers(again)).toEqual(await answers(projection));
  });

  it('shows in the comparison which table a rebuild has corrected', async () => {
    const own = join(server.root, 'wrong');
    const first = await DuckdbProjection.open({ folder: own, ledger });
    await first.waitFor(await ledger.size());
    await first[Symbol.asyncDispose]();
    const name = (await readdir(own)).find((file) => file.endsWith('.duckdb')) ?? '';
    await alter(join(own, name), `UPDATE gates SET verdict = 'failed' WHERE model = '${digest('model 1')}'`);
    await using again = await DuckdbProjection.open({ folder: own, ledger });
    const report = await again.rebuild();
    expect(report.same).toBe(false);
    expect(
      report.tables.filter((table) => table.digestBefore !== table.digestAfter).map((table) => table.table),
    ).toEqual(['gates']);
    expect(await answers(again)).toEqual(await answers(projection));
  });
});

async function alter(path: string, sql: string): Promise<void> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  await connection.run(sql);
  connection.closeSync();
  instance.closeSync();
}
