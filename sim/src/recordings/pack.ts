// Why this file exists: the committed recordings are compressed copies of public datasets, and this is the script that made
// them, so that anybody who has the originals can make them again and compare. Run: node sim/src/recordings/pack.ts ORIGINALS
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ChecksumLine, PackedGroup } from './packing.ts';
import {
  formatChecksums,
  ORIGINAL_SIZE_BYTES_MAX,
  PACKED_GROUPS,
  packBytes,
  packedName,
  sha256Hex,
} from './packing.ts';
import { CHECKSUM_FILE, RECORDINGS_FOLDER } from './paths.ts';

type PackTotals = {
  readonly lines: readonly ChecksumLine[];
  readonly originalBytes: number;
  readonly packedBytes: number;
};

/** Packs every group of originals into `sim/recordings` and writes the checksum list. */
export async function packRecordings(originalsFolder: string, targetFolder: string): Promise<PackTotals> {
  const lines: ChecksumLine[] = [];
  let originalBytes = 0;
  let packedBytes = 0;
  for (const group of PACKED_GROUPS) {
    for (const name of await originalNames(originalsFolder, group)) {
      const original = await readOriginal(join(originalsFolder, group.from, name));
      const committed = `${group.to}/${group.files === undefined ? name : basename(name)}`;
      const packed = packBytes(committed, original);
      const target = join(targetFolder, packedName(committed));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, packed);
      lines.push({ sha256: sha256Hex(original), name: committed });
      originalBytes += original.length;
      packedBytes += packed.length;
    }
  }
  await writeFile(join(targetFolder, basename(CHECKSUM_FILE)), formatChecksums(lines));
  return { lines, originalBytes, packedBytes };
}

async function originalNames(originalsFolder: string, group: PackedGroup): Promise<readonly string[]> {
  if (group.files !== undefined) return group.files;
  const root = join(originalsFolder, group.from);
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)).sort();
}

async function readOriginal(path: string): Promise<Uint8Array> {
  const { size } = await stat(path);
  if (size > ORIGINAL_SIZE_BYTES_MAX)
    throw new Error(`${path} has ${size} bytes, more than ${ORIGINAL_SIZE_BYTES_MAX}`);
  return readFile(path);
}

if (import.meta.main) {
  const originals = process.argv[2];
  if (originals === undefined) throw new Error('usage: node sim/src/recordings/pack.ts ORIGINALS_FOLDER');
  const totals = await packRecordings(originals, RECORDINGS_FOLDER);
  const { lines, originalBytes, packedBytes } = totals;
  process.stdout.write(`${lines.length} files, ${originalBytes} bytes of originals, ${packedBytes} bytes packed\n`);
}
