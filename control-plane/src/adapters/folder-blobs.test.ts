import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Digest } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderBlobs } from './folder-blobs.ts';

let root: string;
let blobs: FolderBlobs;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-blobs-'));
  blobs = await FolderBlobs.open(join(root, 'blobs'));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

const UNKNOWN = digestOfBytes(Buffer.from('nobody stored this'));

describe('the blob folder', () => {
  it('gives back what was put, in memory, as a stream and as a file', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200_000 }), async (bytes) => {
        const digest = await blobs.put(bytes);
        expect(digest).toBe(digestOfBytes(bytes));
        expect(Buffer.compare(await blobs.get(digest), bytes)).toBe(0);
        expect(Buffer.compare(await buffer(await blobs.open(digest)), bytes)).toBe(0);
        expect(Buffer.compare(await readFile(await blobs.pathOf(digest)), bytes)).toBe(0);
        expect(await blobs.sizeOf(digest)).toBe(bytes.length);
      }),
      { numRuns: 20 },
    );
  });

  it('takes the same bytes from many writers at once', async () => {
    const bytes = Buffer.alloc(100_000, 7);
    const digests = await Promise.all(Array.from({ length: 20 }, async () => blobs.put(bytes)));
    expect(new Set(digests)).toEqual(new Set([digestOfBytes(bytes)]));
    expect(await readdir(join(root, 'blobs', 'incoming'))).toEqual([]);
  });

  it('adopts a file by its digest', async () => {
    const path = join(root, 'recording');
    await writeFile(path, 'abc');
    const digest = digestOfBytes(Buffer.from('abc'));
    await blobs.adopt(path, digest);
    expect(await blobs.has(digest)).toBe(true);
    await expect(stat(path)).rejects.toThrow(/ENOENT/);
  });

  it('leaves a file with another digest where it was', async () => {
    const path = join(root, 'recording');
    await writeFile(path, 'abc');
    await expect(blobs.adopt(path, UNKNOWN)).rejects.toMatchObject({ code: 'BLOB_DIGEST' });
    expect(await readFile(path, 'utf8')).toBe('abc');
    expect(await blobs.has(UNKNOWN)).toBe(false);
    expect(await readdir(join(root, 'blobs', 'incoming'))).toEqual([]);
  });

  it('notices stored bytes that were altered', async () => {
    const digest = await blobs.put(Buffer.from('abc'));
    await writeFile(await blobs.pathOf(digest), 'abd');
    await expect(blobs.get(digest)).rejects.toMatchObject({ code: 'BLOB_DIGEST' });
    await expect(buffer(await blobs.open(digest))).rejects.toMatchObject({ code: 'BLOB_DIGEST' });
  });

  it('says that it does not have what it does not have', async () => {
    expect(await blobs.has(UNKNOWN)).toBe(false);
    await expect(blobs.get(UNKNOWN)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    await expect(blobs.open(UNKNOWN)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    await expect(blobs.sizeOf(UNKNOWN)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    await expect(blobs.pathOf(UNKNOWN)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  });

  it.each(['sha256:../../etc/passwd', `sha256:${'A'.repeat(64)}`, 'sha256:', ''])(
    'takes no path for a digest: %j',
    async (text) => {
      await expect(blobs.pathOf(text as Digest)).rejects.toMatchObject({
        code: expect.stringMatching(/REQUEST_INVALID|BLOB_NOT_FOUND/) as string,
      });
    },
  );

  it('removes what an earlier process did not finish, and keeps what it did', async () => {
    const digest = await blobs.put(Buffer.from('abc'));
    await writeFile(join(root, 'blobs', 'incoming', 'half.active'), 'ab');
    const again = await FolderBlobs.open(join(root, 'blobs'));
    expect(await readdir(join(root, 'blobs', 'incoming'))).toEqual([]);
    expect(Buffer.from(await again.get(digest)).toString()).toBe('abc');
  });

  it('leaves alone what another process is writing into the same folder', async () => {
    const worker = await FolderBlobs.open(join(root, 'blobs'), 'worker-2');
    await writeFile(join(root, 'blobs', 'incoming', 'half.active'), 'ab');
    await writeFile(join(root, 'blobs', 'incoming-worker-2', 'half.active'), 'ab');
    await FolderBlobs.open(join(root, 'blobs'), 'worker-2');
    expect(await readdir(join(root, 'blobs', 'incoming'))).toEqual(['half.active']);
    expect(await readdir(join(root, 'blobs', 'incoming-worker-2'))).toEqual([]);
    const digest = await worker.put(Buffer.from('abc'));
    expect(Buffer.from(await blobs.get(digest)).toString()).toBe('abc');
  });
});
