/** Why: a commit is several messages and one answer. Whoever is cut off or killed between them repeats it, and it stands whole, once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { APPEND_BYTES_MAX, type NatsLedger } from '@fleetloop/control-plane';
import { FleetError, LEDGER_ENTRY_BYTES_MAX } from '@fleetloop/schemas';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deathIn, DIE_BEFORE, PRELOAD } from '../ingest/dying-process.ts';
import { type Break, BrokenLink } from './broken-link.ts';
import { commitOf } from './commit-facts.ts';
import { collect, enrolled, type LedgerServer, startLedgerServer } from './ledger-server.ts';
import { expectVerified } from './verified-ledger.ts';

const SCRIPT = fileURLToPath(import.meta.resolve('./append-once.ts'));
const FACTS = 5;

let server: LedgerServer;
let ledger: NatsLedger;

beforeAll(async () => {
  server = await startLedgerServer();
  ledger = await server.openLedger();
});
afterAll(async () => server[Symbol.asyncDispose]());

const outcomeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'stored',
    (error: unknown) => FleetError.from(error).code,
  );

async function standing(name: string): Promise<number> {
  const entries = await collect(ledger.read({ fromSequence: 1 }));
  return entries.filter(({ entry }) => entry.subject.startsWith(`vehicle.${name}-`)).length;
}

describe('a commit whose link breaks', () => {
  // At once, as a writer waits for the answer that does not come.
  it.concurrent.each<Break>([
    { at: 'entry', n: 1 },
    { at: 'entry', n: 2 },
    { at: 'entry', n: FACTS },
    { at: 'answer', n: 1 },
    { at: 'answer', n: FACTS },
  ])('at the $at $n of five stands whole and once when it is repeated', async ({ at, n }) => {
    const name = `cut-${at}-${n}`;
    await using link = await BrokenLink.to(server.nats.url);
    const writer = await server.openLedger(link.url);
    link.breakAt({ at, n });
    const first = await outcomeOf(writer.append(...commitOf(name, FACTS)));
    expect(link.breaks).toBe(1);
    expect([0, FACTS]).toContain(await standing(name));
    // A writer that was told nothing repeats; one that was told that it stands must be right.
    expect(first === 'stored' ? await standing(name) : await outcomeOf(writer.append(...commitOf(name, FACTS)))).toBe(
      first === 'stored' ? FACTS : 'stored',
    );
    expect(await standing(name)).toBe(FACTS);
    expect(await outcomeOf(writer.append(...commitOf(name, FACTS)))).toBe('LEDGER_CONFLICT');
  });
});

describe('a process that is killed before each message of a commit', () => {
  it('has committed nothing, and its next life commits all, once', async () => {
    const connectionFile = join(server.root, 'connection.json');
    await writeFile(connectionFile, JSON.stringify({ url: server.nats.url, creds: server.nats.serviceUser.creds }));
    const live = async (name: string, step: number): Promise<string> => {
      const command = ['--import', PRELOAD, SCRIPT, connectionFile, name, String(FACTS)];
      const env = { ...process.env, [DIE_BEFORE]: String(step) };
      const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'inherit', 'pipe'] });
      const [said] = await Promise.all([text(child.stderr), once(child, 'exit')]);
      return said;
    };
    let step = 1;
    for (; ; step += 1) {
      const name = `killed-${step}`;
      if (deathIn(await live(name, step)) === undefined) break;
      expect(await standing(name)).toBe(0);
      expect(await outcomeOf(ledger.append(...commitOf(name, FACTS)))).toBe('stored');
      expect(await standing(name)).toBe(FACTS);
    }
    expect(step).toBeGreaterThan(FACTS);
  });
});

describe('a commit that is too large', () => {
  it('is refused before anything of it is sent', async () => {
    const size = await ledger.size();
    const oneLarge = { ...enrolled('large', 'x'.repeat(LEDGER_ENTRY_BYTES_MAX)) };
    expect(await outcomeOf(ledger.append([enrolled('small'), oneLarge]))).toBe('LEDGER_ENTRY_INVALID');
    const reason = 'x'.repeat(4_000);
    const evidence = Array.from({ length: 900 }, (_, index) => `sha256:${index.toString(16).padStart(64, '0')}`);
    const many = Array.from({ length: 1_000 }, (_, index) => ({ ...enrolled(`many-${index}`), reason, evidence }));
    expect(JSON.stringify(many).length).toBeGreaterThan(APPEND_BYTES_MAX);
    expect(await outcomeOf(ledger.append(many))).toBe('LEDGER_ENTRY_INVALID');
    expect(await ledger.size()).toBe(size);
  });
});

describe('the ledger after all of them', () => {
  it('verifies', async () => {
    await expectVerified(ledger, server.root);
  });
});
