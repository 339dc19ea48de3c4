import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { DuckdbProjection, type NatsLedger } from '@fleetloop/control-plane';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fleetStory } from './fleet-story.ts';
import { enrolled, type LedgerServer, startLedgerServer } from './ledger-server.ts';

const SCRIPT = fileURLToPath(import.meta.resolve('./project-until-killed.ts'));
const ENTRIES = 4_000;
const ROUNDS = 4;

let server: LedgerServer;
let ledger: NatsLedger;
let connectionFile: string;

beforeAll(async () => {
  server = await startLedgerServer();
  ledger = await server.openLedger();
  await ledger.append(fleetStory());
  for (let first = 0; first < ENTRIES; first += 500)
    await ledger.append(Array.from({ length: 500 }, (_, index) => enrolled(`v-${first + index}`)));
  connectionFile = join(server.root, 'connection.json');
  await writeFile(connectionFile, JSON.stringify({ url: server.nats.url, creds: server.nats.serviceUser.creds }));
});
afterAll(async () => server[Symbol.asyncDispose]());

/** Runs the process until it says `word`, kills it at once, and returns where it had begun. */
async function killAt(word: string, folder: string, ...more: string[]): Promise<number> {
  const child = spawn(process.execPath, [SCRIPT, connectionFile, folder, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let from = Number.NaN;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('from ')) from = Number(line.slice('from '.length));
    if (line !== word) continue;
    child.kill('SIGKILL');
    break;
  }
  await exited;
  return from;
}

async function expectSameAnswers(folder: string): Promise<void> {
  await using survivor = await DuckdbProjection.open({ folder, ledger });
  const size = await ledger.size();
  await survivor.waitFor(size);
  const report = await survivor.rebuild();
  expect(report.sequence).toBe(size);
  expect(report.tables.filter((table) => table.digestBefore !== table.digestAfter)).toEqual([]);
}

describe('a projection whose process is killed', () => {
  it('while it applies entries goes on where its last transaction ended, to the same answers', async () => {
    const folder = join(server.root, 'applying');
    const starts: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) starts.push(await killAt('applying', folder));
    expect(starts).toEqual([...starts].sort((left, right) => left - right));
    expect(starts.at(-1)).toBeGreaterThan(0);
    await expectSameAnswers(folder);
  });

  it('while it rebuilds serves the former file, and the unfinished one is removed', async () => {
    const folder = join(server.root, 'rebuilding');
    for (let round = 0; round < ROUNDS; round += 1) await killAt('rebuilding', folder, 'rebuild');
    await expectSameAnswers(folder);
    expect((await readdir(folder)).filter((name) => name.endsWith('.duckdb'))).toHaveLength(1);
  });
});
