import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeDisk } from '../adapters/node-disk.ts';
import type { Disk, DiskFile } from '../ports.ts';
import { DurableFiles, isDiskFull } from './durable-files.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-files-'));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

type Writing = (bytes: Uint8Array, file: DiskFile) => Promise<number>;

/** The real disk, on which writes behave otherwise. */
function diskThat(write: Writing): Disk {
  const disk = new NodeDisk();
  return Object.assign(Object.create(disk) as Disk, {
    open: async (path: string, mode: 'read' | 'create' | 'append'): Promise<DiskFile> => {
      const file = await disk.open(path, mode);
      return Object.assign(Object.create(file) as DiskFile, {
        write: async (bytes: Uint8Array) => write(bytes, file),
        read: async (buffer: Uint8Array, position: number) => file.read(buffer, position),
        sync: async () => file.sync(),
        truncate: async (size: number) => file.truncate(size),
        close: async () => file.close(),
      });
    },
  });
}
const failing = (code: string): never => {
  throw Object.assign(new Error(code), { code });
};

describe('durable files', () => {
  it('offers the rest again when the system took fewer bytes', async () => {
    const files = new DurableFiles(
      diskThat(async (bytes, file) => file.write(bytes.subarray(0, 3))),
      root,
    );
    await files.writeText('folder/a.txt', 'a text of more than three bytes');
    await files.appendLine('lines', 'a line of more than three bytes');
    expect(await files.readText('folder/a.txt')).toBe('a text of more than three bytes');
    expect(await files.readText('lines')).toBe('a line of more than three bytes\n');
  });

  it('fails instead of turning for ever when nothing is taken', async () => {
    const files = new DurableFiles(
      diskThat(async () => 0),
      root,
    );
    await expect(files.writeText('a', 'x')).rejects.toMatchObject({ code: 'RECORD_WRITE' });
  });

  it('leaves the old file and nothing half written when a write fails', async () => {
    const good = new DurableFiles(new NodeDisk(), root);
    await good.writeText('a', 'old');
    const files = new DurableFiles(
      diskThat(async () => failing('ENOSPC')),
      root,
    );
    const error: unknown = await files.writeText('a', 'new').catch((thrown: unknown) => thrown);
    expect(isDiskFull(error)).toBe(true);
    expect(await readdir(root)).toEqual(['a']);
    expect(await good.readText('a')).toBe('old');
  });

  it('cuts off what a failed append left of its line', async () => {
    let isFull = false;
    const files = new DurableFiles(
      diskThat(async (bytes, file) => (isFull ? failing('ENOSPC') : file.write(bytes.subarray(0, 4)))),
      root,
    );
    await files.appendLine('lines', 'first');
    isFull = true;
    await expect(files.appendLine('lines', 'second')).rejects.toMatchObject({ code: 'RECORD_WRITE' });
    isFull = false;
    await files.appendLine('lines', 'third');
    expect(await readFile(join(root, 'lines'), 'utf8')).toBe('first\nthird\n');
  });

  it('never glues a line to one that a power cut left half written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[a-z\n]{0,20}$/), async (found) => {
        await writeFile(join(root, 'lines'), found);
        const files = new DurableFiles(new NodeDisk(), root);
        await files.appendLine('lines', 'NEXT');
        const text = await readFile(join(root, 'lines'), 'utf8');
        expect(text.startsWith(found)).toBe(true);
        expect(text.split('\n').filter((line) => line === 'NEXT')).toHaveLength(1);
      }),
      { numRuns: 50 },
    );
  });

  it('notices that a file of lines was replaced by one without an end', async () => {
    const files = new DurableFiles(new NodeDisk(), root);
    await files.appendLine('lines', 'one');
    await files.writeText('lines', 'no end');
    await files.appendLine('lines', 'two');
    expect(await files.readText('lines')).toBe('no end\ntwo\n');
  });

  it('keeps lines that are appended at the same time apart', async () => {
    const files = new DurableFiles(
      diskThat(async (bytes, file) => file.write(bytes.subarray(0, 2))),
      root,
    );
    const lines = Array.from({ length: 20 }, (_, index) => `line-${index}`);
    await Promise.all(lines.map(async (line) => files.appendLine('lines', line)));
    expect((await files.readText('lines'))?.trim().split('\n')).toEqual(lines);
  });

  it('gives a file its name only when that was decided', async () => {
    const files = new DurableFiles(new NodeDisk(), root);
    const kept = await files.begin('kept', async (sink) => sink.write(Uint8Array.of(1)));
    const dropped = await files.begin('dropped', async (sink) => sink.write(Uint8Array.of(2)));
    expect(await readdir(root)).toEqual(['dropped.active', 'kept.active']);
    await kept.commit();
    await dropped.discard();
    expect(await readdir(root)).toEqual(['kept']);
  });

  it('lists files with their sizes, moves them and reads parts of them', async () => {
    const files = new DurableFiles(new NodeDisk(), root);
    await files.writeText('a/x', 'hello');
    await files.move('a/x', 'b/c/y');
    expect(await files.list('a')).toEqual([]);
    expect(await files.list('b')).toEqual([]);
    expect(await files.list('b/c')).toEqual([{ name: 'b/c/y', sizeBytes: 5 }]);
    expect(await files.list('nowhere')).toEqual([]);
    expect(new TextDecoder().decode(await files.readBytes('b/c/y', 3, 10))).toBe('lo');
    expect(await files.readText('nowhere/z')).toBeUndefined();
    await files.remove('b/c/y');
    await files.remove('b/c/y');
    expect(await readdir(join(root, 'b/c'))).toEqual([]);
  });

  it('says what cannot be read', async () => {
    const files = new DurableFiles(new NodeDisk(), root);
    await files.writeText('folder/x', '');
    await expect(files.readBytes('gone', 0, 1)).rejects.toMatchObject({ code: 'SPOOL_CORRUPT' });
    await appendFile(join(root, 'folder/x'), 'y');
    expect(await files.freeBytes()).toBeGreaterThan(0);
  });
});
