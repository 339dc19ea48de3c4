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
/** Several transactions of a replay in the process that is killed. */
const ENTRIES = 4_500;
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

type Kill = { readonly word: string /** How often it is said before. */; readonly after?: number };

/** Runs the process until it says a word, kills it at once, and returns where it had begun. */
async function killAt({ word, after = 0 }: Kill, folder: string, ...more: string[]): Promise<number> {
  const child = spawn(process.execPath, [SCRIPT, connectionFile, folder, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let from = Number.NaN;
  let times = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('from ')) from = Number(line.slice('from '.length));
    if (line === word) times += 1;
    if (times <= after) continue;
    child.kill('SIGKILL');
    break;
  }
  await exited;
  return from;
}

/** Runs the process where no file may grow over a size, as on a disk that is full, and returns what it said. */
async function runOnFullDisk(kibibytes: number, folder: string): Promise<string> {
  const limited = ['-c', `ulimit -f ${kibibytes}; exec "$0" "$@"`, process.execPath, SCRIPT, connectionFile, folder];
  const child = spawn('bash', limited, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  await once(child, 'exit');
  return said;
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
    for (let round = 0; round < ROUNDS; round += 1) starts.push(await killAt({ word: 'applying' }, folder));
    expect(starts).toEqual([...starts].sort((left, right) => left - right));
    expect(starts.at(-1)).toBeGreaterThan(0);
    await expectSameAnswers(folder);
  });

  it('while it rebuilds serves the former file, and the unfinished one is removed', async () => {
    const folder = join(server.root, 'rebuilding');
    for (let round = 0; round < ROUNDS; round += 1) await killAt({ word: 'rebuilding' }, folder, 'rebuild');
    await expectSameAnswers(folder);
    expect((await readdir(folder)).filter((name) => name.endsWith('.duckdb'))).toHaveLength(1);
  });

  it('at any change of its folder during rebuilds and swaps serves one whole file or the other', async () => {
    const folder = join(server.root, 'swapping');
    for (const after of [0, 2, 5]) {
      await killAt({ word: 'changed', after }, folder, 'rebuild');
      await expectSameAnswers(folder);
      expect((await readdir(folder)).filter((name) => name.endsWith('.duckdb'))).toHaveLength(1);
    }
  });
});

describe('a projection whose disk is full', () => {
  it.each([300, 1_500])('after %s KiB stops with a typed error, and goes on once there is room', async (kibibytes) => {
    const folder = join(server.root, `full-${kibibytes}`);
    expect(await runOnFullDisk(kibibytes, folder)).toMatch(/failed [A-Z_]+\n$/);
    await expectSameAnswers(folder);
  });
});
