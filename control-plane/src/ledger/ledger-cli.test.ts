import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewFact } from '@fleetloop/schemas';
import { generateSigningKey } from '@fleetloop/schemas/crypto';
import { fastify, type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DuckdbProjection } from '../adapters/duckdb-projection.ts';
import { FolderCheckpointKeys } from '../adapters/folder-checkpoint-keys.ts';
import { FolderCheckpoints } from '../adapters/folder-checkpoints.ts';
import type { StoredEntry, UncheckedLedger } from '../ports.ts';
import { traceCommand } from '../trace/trace-cli.ts';
import { registerTraceRoutes } from '../trace/trace-routes.ts';
import { LEDGER_ORIGIN } from './checkpoint.ts';
import { Checkpointer } from './checkpointer.ts';
import type { CommandClient, CommandIo } from './command-io.ts';
import { decodeEntry, encodeEntry } from './entry-coding.ts';
import { ledgerCommand } from './ledger-cli.ts';
import { registerLedgerRoutes } from './ledger-routes.ts';

let root: string;
let app: FastifyInstance;
const resources = new AsyncDisposableStack();
/** Alters an answer of the API on its way to the auditor. */
let meddle: (path: string, answer: unknown) => unknown = (_, answer) => answer;

/** A ledger of entries that are there from the start. */
function finishedLedger(facts: readonly NewFact[]): UncheckedLedger {
  const entries: readonly StoredEntry[] = facts.map((fact, index) => {
    const { bytes } = encodeEntry(fact, new Date(1_790_000_000_000 + index * 1_000));
    return { sequence: index + 1, bytes, entry: decodeEntry(bytes) };
  });
  const between = (from: number, to: number): readonly StoredEntry[] => entries.slice(from - 1, to);
  return {
    append: async () => Promise.reject(new Error('this ledger takes no entries')),
    lastSequenceOf: async (subject) => entries.findLast(({ entry }) => entry.subject === subject)?.sequence ?? 0,
    size: async () => entries.length,
    read: async function* ({ fromSequence, toSequence = entries.length }) {
      yield* between(fromSequence, toSequence);
    },
    readUnchecked: async function* ({ fromSequence, toSequence = entries.length }) {
      for (const { sequence, bytes, entry } of between(fromSequence, toSequence))
        yield { sequence, bytes, subject: `ledger.${entry.subject}` };
    },
    follow: async function* ({ fromSequence, signal }) {
      yield* between(fromSequence, entries.length);
      if (!signal.aborted) await once(signal, 'abort');
    },
  };
}

function facts(): NewFact[] {
  const vehicle = (vehicleId: string): NewFact => ({
    kind: 'vehicle.enrolled',
    key: vehicleId,
    actor: 'installer',
    body: { vehicleId, publicKey: 'U', hardwareRevision: 'A', softwareVersion: '1', place: 'Oulu' },
  });
  const digest = `sha256:${'ab'.repeat(32)}`;
  const metadata = {
    vehicle: { id: 'v-1', hardwareRevision: 'A' },
    software: { name: 'agent', version: '1' },
    session: { name: 'drive', attributes: {} },
    clock: { source: 'gnss', uncertaintyNs: '1' },
    gaps: [],
    loss: {},
  };
  const span = { startNs: '1', endNs: '2', topics: {}, metadata, manifest: null };
  return [
    ...Array.from({ length: 9 }, (_, index) => vehicle(`v-${index + 1}`)),
    {
      kind: 'recording.accepted',
      key: 'ab'.repeat(32),
      actor: 'ingest',
      body: { recording: digest, source: 'import', sizeBytes: 1, messages: 1, ...span },
    },
    {
      kind: 'label.assigned',
      key: 'ab'.repeat(32),
      actor: 'anna',
      body: { recording: digest, label: 'ICE/snow', annotator: 'anna', method: 'manual' },
    },
  ];
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-ledger-cli-'));
  const ledger = finishedLedger(facts());
  const projection = resources.use(await DuckdbProjection.open({ folder: join(root, 'projection'), ledger }));
  const store = resources.use(await FolderCheckpoints.open(join(root, 'checkpoints')));
  const signer = { name: LEDGER_ORIGIN, ...generateSigningKey() };
  const checkpoints = resources.use(await Checkpointer.start({ ledger, store, signer }));
  await projection.waitFor(await ledger.size());
  app = fastify();
  const checkpointKeys = await FolderCheckpointKeys.open(join(root, 'keys'), signer);
  registerLedgerRoutes(app, { ledger, projection, checkpoints, checkpointKeys });
  registerTraceRoutes(app, { projection, telemetry: { inference: async () => undefined, inferences: async () => [] } });
});
afterAll(async () => {
  await app.close();
  await resources.disposeAsync();
  await rm(root, { recursive: true, force: true });
});

const client: CommandClient = {
  get: async <Result>(path: string, options: Parameters<CommandClient['get']>[1] = {}): Promise<Result> => {
    const query = Object.fromEntries(
      Object.entries(options.query ?? {})
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, String(value)]),
    );
    const answer = await app.inject({ method: 'GET', url: path, query });
    if (answer.statusCode !== 200) throw new Error(answer.body);
    return meddle(path, answer.json()) as Result;
  },
  post: async <Result>(path: string): Promise<Result> =>
    (await app.inject({ method: 'POST', url: path, payload: {} })).json(),
};

async function run(...argv: string[]): Promise<{ readonly text: string; readonly isNo: boolean }> {
  const lines: string[] = [];
  let isNo = false;
  const io: CommandIo = {
    client: async () => client,
    print: (text) => lines.push(text),
    answerNo: () => (isNo = true),
  };
  const [name, ...rest] = argv;
  await (name === 'trace' ? traceCommand(io) : ledgerCommand(io)).exitOverride().parseAsync(rest, { from: 'user' });
  return { text: lines.join('\n'), isNo };
}

type EntriesAnswer = { entries: { sequence: number; bytes: string }[] };

async function runMeddled(
  alter: (entries: EntriesAnswer['entries']) => EntriesAnswer['entries'],
): Promise<{ readonly text: string; readonly isNo: boolean }> {
  meddle = (path, answer) =>
    path === '/v1/ledger/entries'
      ? { ...(answer as EntriesAnswer), entries: alter((answer as EntriesAnswer).entries) }
      : answer;
  try {
    return await run('ledger', 'verify');
  } finally {
    meddle = (_, answer) => answer;
  }
}

const renumber = (entries: EntriesAnswer['entries']): EntriesAnswer['entries'] =>
  entries.map((entry, index) => ({ ...entry, sequence: index + 1 }));

describe('fleetloop ledger', () => {
  it('verifies what the server hands out', async () => {
    const { text, isNo } = await run('ledger', 'verify');
    expect(text).toMatch(/^verified: \d+ entries, root [0-9a-f]{64}/);
    expect(isNo).toBe(false);
    expect(JSON.parse((await run('ledger', 'verify', '--json')).text)).toMatchObject({ ok: true, unsigned: 0 });
  });

  it.each<[string, (entries: EntriesAnswer['entries']) => EntriesAnswer['entries'], RegExp]>([
    [
      'rewrites an actor',
      (entries) =>
        entries.with(4, {
          ...(entries[4] ?? entries[0]),
          sequence: 5,
          bytes: swap(entries[4]?.bytes ?? '', '"actor":"installer"', '"actor":"nobody"'),
        } as EntriesAnswer['entries'][number]),
      /NOT VERIFIED \(altered\): entry 5 /,
    ],
    ['drops an entry', (entries) => renumber(entries.toSpliced(4, 1)), /NOT VERIFIED/],
    ['leaves a hole', (entries) => entries.toSpliced(4, 1), /NOT VERIFIED \(missing\): entry 5 /],
    [
      'exchanges two',
      (entries) => renumber(entries.with(4, entries[5] as never).with(5, entries[4] as never)),
      /NOT VERIFIED \(reordered\): entries 5 and 6/,
    ],
    ['hides the newest', (entries) => entries.slice(0, -1), /NOT VERIFIED \(missing\)/],
  ])('names the entry when the server %s', async (_, alter, expected) => {
    const { text, isNo } = await runMeddled(alter);
    expect(text).toMatch(expected);
    expect(isNo).toBe(true);
  });

  it('refuses the key of somebody else and holds the ledger to a kept checkpoint', async () => {
    const former = JSON.parse((await run('ledger', 'verify', '--json')).text) as {
      checkpoint: string;
      verifierKey: string;
    };
    const file = join(root, 'kept.checkpoint');
    await writeFile(file, former.checkpoint);
    expect((await run('ledger', 'verify', '--key', former.verifierKey, '--former', file)).isNo).toBe(false);
    const stranger = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
    expect((await run('ledger', 'verify', '--key', stranger)).isNo).toBe(true);
  });

  it('proves a single entry', async () => {
    expect((await run('ledger', 'proof', '7')).text).toMatch(
      /^entry 7 is under the checkpoint of \d+ entries: \d hashes prove it/,
    );
    await expect(run('ledger', 'proof', '7000')).rejects.toThrow();
    await expect(run('ledger', 'proof', 'x')).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('shows an entry, and rebuilds the tables to the same answers', async () => {
    expect((await run('ledger', 'show', '1')).text).toContain('vehicle.enrolled of vehicle.v-1');
    const { text, isNo } = await run('ledger', 'rebuild');
    expect(text).toMatch(/facts +\d+ +\d+ +same/);
    expect(text).toMatch(/the same answers$/);
    expect(isNo).toBe(false);
  });

  it('traces by the API, with slashes in ids and as of a time', async () => {
    const label = `label:sha256:${'ab'.repeat(32)}/ICE/snow`;
    expect((await run('trace', label, '--direction', 'down')).text).toContain('recorded_by vehicle:v-1');
    expect(JSON.parse((await run('trace', 'vehicle:v-1', '--json')).text)).toMatchObject({ truncated: false });
    await expect(run('trace', 'vehicle:v-1', '--as-of', '2001-01-01T00:00:00Z')).rejects.toThrow(/no entry at/);
    const then = await run('trace', 'vehicle:v-1', '--json', '--as-of', new Date(1_790_000_002_500).toISOString());
    expect(JSON.parse(then.text)).toMatchObject({ asOf: 3, edges: [] });
    expect((await app.inject('/v1/trace/vehicle:v-1?asOf=yesterday')).statusCode).not.toBe(200);
  });

  it('shows the latest entry about a thing, now and as it was', async () => {
    const subject = `label.${'ab'.repeat(32)}`;
    expect((await run('ledger', 'show', subject)).text).toContain('label.assigned of label.');
    const then = await run('ledger', 'show', 'vehicle.v-2', '--json', '--as-of', '5');
    expect(JSON.parse(then.text)).toMatchObject({ sequence: 2, kind: 'vehicle.enrolled' });
    await expect(run('ledger', 'show', subject, '--as-of', '5')).rejects.toThrow(/says nothing about/);
    await expect(run('ledger', 'show', subject, '--as-of', '2001-01-01T00:00:00Z')).rejects.toThrow(/no entry at/);
  });

  it('exports to a file that verifies without the server', async () => {
    const file = join(root, 'ledger.export');
    const { text } = await run('ledger', 'export', '--out', file);
    expect(text).toContain(`${file}: 11 entries under the checkpoint signed by`);
    const key = /--key '([^']+)'/.exec(text)?.[1] ?? '';
    expect((await run('ledger', 'verify', '--export', file, '--key', key)).text).toMatch(/^verified: 11 entries/);
    expect((await run('ledger', 'verify', '--export', file)).text).toContain('give --key');
    const whole = await readFile(file, 'utf8');
    await writeFile(file, whole.replace('"actor":"anna"', '"actor":"hans"'));
    const tampered = await run('ledger', 'verify', '--export', file, '--key', key);
    expect(tampered.text).toMatch(/NOT VERIFIED \(altered\): entry 11 /);
    expect(tampered.isNo).toBe(true);
    await expect(run('ledger', 'verify', '--export', join(root, 'nowhere'))).rejects.toMatchObject({
      code: 'SOURCE_NOT_FOUND',
    });
  });

  it('leaves no file behind when an export cannot be finished', async () => {
    meddle = (path, answer) => (path === '/v1/ledger/entries' ? { ...(answer as object), entries: [] } : answer);
    try {
      await expect(run('ledger', 'export', '--out', join(root, 'half.export'))).rejects.toMatchObject({
        code: 'LEDGER_TAMPERED',
      });
    } finally {
      meddle = (_, answer) => answer;
    }
    expect((await readdir(root)).filter((name) => name.startsWith('half'))).toEqual([]);
  });

  it('holds the ledger to a kept checkpoint without reading its entries', async () => {
    const file = join(root, 'former.checkpoint');
    const { text: verdict } = await run('ledger', 'verify', '--json', '--keep', file);
    const { checkpoint } = JSON.parse(verdict) as { checkpoint: string };
    expect(await readFile(file, 'utf8')).toBe(checkpoint);
    expect((await run('ledger', 'extends', file)).text).toMatch(/^the ledger of 11 entries has grown out of/);
    await writeFile(file, checkpoint.replace('\n11\n', '\n10\n'));
    await expect(run('ledger', 'extends', file)).rejects.toMatchObject({ code: 'LEDGER_TAMPERED' });
  });
});

function swap(bytes: string, from: string, to: string): string {
  const text = Buffer.from(bytes, 'base64').toString('utf8');
  if (!text.includes(from)) throw new Error(`the entry does not hold ${from}`);
  return Buffer.from(text.replace(from, to)).toString('base64');
}
