// Why: the committed recordings are only worth anything when they are exactly the published data.
import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import {
  formatChecksums,
  PACKED_GROUPS,
  packBytes,
  packedName,
  parseChecksums,
  sha256Hex,
  unpackBytes,
} from './packing.ts';
import { CHECKSUM_FILE, RECORDINGS_FOLDER } from './paths.ts';

const ORIGINALS_FOLDER = fileURLToPath(new URL('../../../../shared/data', import.meta.url));
const SIZE_BYTES_MAX = 20_000_000;
const checksums = parseChecksums(readFileSync(CHECKSUM_FILE, 'utf8'));

/** Where the original of a committed name lies, by the same table that packed it. */
function originalPath(name: string): string {
  const group = PACKED_GROUPS.filter(({ to }) => name.startsWith(`${to}/`)).toSorted(
    (a, b) => b.to.length - a.to.length,
  )[0];
  if (group === undefined) throw new Error(`no group holds ${name}`);
  const below = name.slice(group.to.length + 1);
  const original = group.files === undefined ? below : group.files.find((file) => basename(file) === below);
  return join(ORIGINALS_FOLDER, group.from, original ?? below);
}

async function unpack(name: string): Promise<Uint8Array> {
  return unpackBytes(name, await readFile(join(RECORDINGS_FOLDER, packedName(name))));
}

/** All committed recordings are unpacked, which takes seconds on a busy machine. */
vi.setConfig({ testTimeout: 60_000 });

describe('committed recordings', () => {
  it('unpack to the content of the checksum list', async () => {
    expect(checksums).toHaveLength(157);
    const unpacked = await Promise.all(
      checksums.map(async ({ name }) => ({ sha256: sha256Hex(await unpack(name)), name })),
    );
    expect(unpacked).toEqual(checksums);
  });

  it('are all in the checksum list, apart from mappings and the description', async () => {
    const entries = await readdir(RECORDINGS_FOLDER, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const listed = new Set(checksums.map(({ name }) => join(RECORDINGS_FOLDER, packedName(name))));
    const unlisted = files.filter((file) => !listed.has(file)).map((file) => basename(file));
    expect(unlisted.filter((name) => !/^(mapping.*\.json|SHA256SUMS|README\.md)$/.test(name))).toEqual([]);
  });

  it('stay within 20 MB', async () => {
    const entries = await readdir(RECORDINGS_FOLDER, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    const sizes = await Promise.all(files.map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size));
    expect(files.length).toBeGreaterThan(150);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(SIZE_BYTES_MAX);
  });

  it.skipIf(!existsSync(ORIGINALS_FOLDER))(
    'equal the originals byte for byte (skipped where ../shared/data with the originals is absent)',
    async () => {
      const different: string[] = [];
      for (const { name } of checksums) {
        const original = await readFile(originalPath(name));
        if (!original.equals(await unpack(name))) different.push(name);
      }
      expect(different).toEqual([]);
    },
  );
});

describe('packing', () => {
  it('gives back the bytes of a compressed file', () => {
    const bytes = new TextEncoder().encode('time,a\n0.0,1\n'.repeat(1000));
    const packed = packBytes('x/imu_00.csv', bytes);
    expect(packed.length).toBeLessThan(bytes.length);
    expect(Buffer.from(unpackBytes('x/imu_00.csv', packed)).equals(bytes)).toBe(true);
  });

  it('notices one flipped bit', () => {
    const packed = packBytes('x.csv', new TextEncoder().encode('time,a\n0.0,1\n'.repeat(1000)));
    packed[packed.length - 6] = (packed[packed.length - 6] ?? 0) ^ 1;
    expect(() => unpackBytes('x.csv', packed)).toThrow(/checksum|corrupt|restored data/i);
  });

  it('leaves event lists and licences readable', () => {
    expect(packedName('blackbox_drives/events.csv')).toBe('blackbox_drives/events.csv');
    expect(packedName('borealtc/LICENSE.upstream.txt')).toBe('borealtc/LICENSE.upstream.txt');
    expect(packedName('borealtc/ICE/imu_09.csv')).toBe('borealtc/ICE/imu_09.csv.zst');
  });

  it('writes and reads the checksum list, and refuses other lines', () => {
    const lines = [{ sha256: 'a'.repeat(64), name: 'b/c d.csv' }];
    expect(parseChecksums(formatChecksums(lines))).toEqual(lines);
    expect(() => parseChecksums('abc  b.csv\n')).toThrow('not a checksum line');
  });
});
