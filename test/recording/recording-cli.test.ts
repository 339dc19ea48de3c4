/** The commands on recording files, run as processes on files, without any server. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { McapWriter } from '@fleetloop/schemas/recording';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const DRIVE = join(ROOT, 'schemas/src/capture/fixtures/comma_lz4.mcap');
const BAG = join(ROOT, 'schemas/src/capture/fixtures/rosbag2_cdr.mcap');
const PROGRAM = join(ROOT, 'bin/fleetloop.mjs');
const CLI = join(ROOT, 'control-plane/src/processes/cli.ts');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetloop-recording-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

/** More than any pipe holds. */
async function writeLong(path: string): Promise<void> {
  const file = await open(path, 'wx');
  const sink = { write: async (bytes: Uint8Array) => file.writeFile(bytes) };
  const writer = new McapWriter(sink, { compression: 'none', library: 'test' });
  const id = writer.registerChannel({ schemaId: 0, topic: '/text', messageEncoding: 'json', metadata: new Map() });
  const data = Buffer.from(JSON.stringify({ text: 'x'.repeat(50_000) }), 'utf8');
  for (let sequence = 0; sequence < 1_000; sequence += 1)
    if (!writer.addMessage(id, sequence, BigInt(sequence), BigInt(sequence), data)) await writer.drain();
  await writer.close();
  await file.close();
}

type Ran = { readonly code: number; readonly out: string; readonly err: string };
const run = async (...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, 'recording', ...args], { maxBuffer: 64 * 1024 * 1024 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });

describe('fleetloop recording', () => {
  it('describes and verifies a real recording', async () => {
    const info = await run('info', DRIVE, '--json');
    expect(JSON.parse(info.out)).toMatchObject({
      messages: 3045,
      isComplete: true,
      channels: [{ topic: '/can' }, {}, {}],
    });
    expect(await run('verify', DRIVE)).toMatchObject({ code: 0 });
    const wrong = await run('verify', DRIVE, '--digest', `sha256:${'0'.repeat(64)}`);
    expect(wrong.code).toBe(1);
    expect((await run('verify', DRIVE, '--digest', 'md5')).code).toBe(2);
  });

  it('says no to a recording that is cut off, salvages it, and writes over nothing', async () => {
    const cut = join(folder, 'cut.mcap');
    const out = join(folder, 'salvaged.mcap');
    await writeFile(cut, (await readFile(DRIVE)).subarray(0, 60_000));
    const verdict = await run('verify', cut, '--json');
    expect(verdict.code).toBe(1);
    expect(JSON.parse(verdict.out)).toMatchObject({ isWhole: false, faults: [{ rule: 'structure', byte: 241 }, {}] });
    const report = JSON.parse((await run('salvage', cut, '--out', out, '--json')).out) as {
      kept: { messages: number };
    };
    expect(report.kept.messages).toBeGreaterThan(1_000);
    expect(await run('verify', out)).toMatchObject({ code: 0 });
    const bytes = await readFile(out);
    expect((await run('salvage', cut, '--out', out)).code).toBe(2);
    expect((await readFile(out)).equals(bytes)).toBe(true);
    expect(await readdir(folder)).toEqual(expect.not.arrayContaining(['salvaged.mcap.active']));
  });

  it('prints decoded messages, also to a reader that stops early', async () => {
    const { out } = await run('cat', BAG, '--json', '--limit', '1');
    expect(JSON.parse(out)).toMatchObject({ encoding: 'cdr', value: { int32_value: 123 } });
    const cat = spawn(process.execPath, [PROGRAM, 'recording', 'cat', DRIVE, '--json']);
    await once(cat.stdout, 'data');
    cat.stdout.destroy();
    const [code] = (await once(cat, 'exit')) as [number];
    expect(code).toBe(0);
  });

  it('ends with exit code 130 when it is interrupted', async () => {
    const long = join(folder, 'long.mcap');
    await writeLong(long);
    const cat = spawn(process.execPath, [CLI, 'recording', 'cat', long]);
    const said = text(cat.stderr);
    const ended = once(cat, 'close');
    // It waits for its reader from here on, far from its end.
    await once(cat.stdout, 'data');
    cat.stdout.pause();
    cat.kill('SIGINT');
    cat.stdout.resume();
    expect(await ended).toEqual([130, null]);
    expect(await said).toBe('fleetloop: interrupted\n');
  });

  it('plots the same bytes each time', async () => {
    const first = await run('plot', DRIVE, '--signal', '/imu:accel_mps2[0]', '--out', '-');
    expect(first.out).toContain('<svg');
    expect((await run('plot', DRIVE, '--signal', '/imu:accel_mps2[0]', '--out', '-')).out).toBe(first.out);
    expect((await run('plot', DRIVE, '--signal', 'nothing')).err).toContain('SIGNAL_UNKNOWN');
  });
});
