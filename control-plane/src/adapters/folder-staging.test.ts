import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderStaging } from './folder-staging.ts';
import { FolderUploads } from './folder-uploads.ts';

const NOW_MS = Date.now();
const YESTERDAY_MS = NOW_MS - 86_400_000;
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fleetloop-staging-'));
});
afterEach(async () => rm(root, { recursive: true }));

async function age(path: string): Promise<void> {
  await utimes(path, YESTERDAY_MS / 1_000, YESTERDAY_MS / 1_000);
}

describe('staged chunks', () => {
  it('go when they are old, while the process runs; younger ones stay', async () => {
    const staging = await FolderStaging.open(root, 0);
    const digests: Digest[] = [];
    for (const text of ['old', 'young']) {
      const bytes = Buffer.from(text);
      digests.push(digestOfBytes(bytes));
      await staging.put('v1', digestOfBytes(bytes), bytes);
    }
    await age(join(root, 'v1', (digests[0] as Digest).slice('sha256:'.length)));
    await staging.sweep(NOW_MS - 3_600_000);
    expect(await staging.sizes('v1', digests)).toEqual([undefined, 5]);
  });

  it('that a crash left half-written go at the start, whatever their age', async () => {
    await FolderStaging.open(root, 0).then(async (staging) =>
      staging.put('v1', digestOfBytes(Buffer.from('a')), Buffer.from('a')),
    );
    await writeFile(join(root, 'v1', 'half.active'), 'a');
    await FolderStaging.open(root, 0);
    expect(await readdir(join(root, 'v1'))).toHaveLength(1);
  });
});

describe('uploads', () => {
  it('that nobody has gone on with go in time', async () => {
    const uploads = await FolderUploads.open(root, 0);
    for (const name of ['old', 'young']) await writeFile(join(root, name), name);
    await age(join(root, 'old'));
    await uploads.sweep(NOW_MS - 3_600_000);
    expect(await readdir(root)).toEqual(['young']);
  });
});
