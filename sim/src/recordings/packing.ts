// Why this file exists: the one list of what is packed from the originals, and the lossless transform between an original file
// and its committed form, so that the script that packs and the test that proves equality cannot disagree.
import { createHash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Highest ordinary zstd level: slow to write once, as fast as any other to read. */
const ZSTD_LEVEL = 19;
/** Window of 2^25 bytes, larger than any single original file, so that the whole file is history. */
const ZSTD_WINDOW_LOG = 25;
/** Largest original that packing accepts, in bytes; the largest today has 3.4 MB. */
export const ORIGINAL_SIZE_BYTES_MAX = 32 * 1024 * 1024;

/** Where one group of originals lies below the folder of originals, and where its committed form goes. */
export type PackedGroup = {
  /** Folder below the originals. */
  readonly from: string;
  /** Folder below `sim/recordings`. */
  readonly to: string;
  /** Names relative to `from`; undefined means every file of the folder, recursively. */
  readonly files?: readonly string[];
};

/** Everything that is committed under `sim/recordings`. */
export const PACKED_GROUPS: readonly PackedGroup[] = [
  { from: 'blackbox_drives', to: 'blackbox_drives' },
  { from: 'borealtc', to: 'borealtc' },
  { from: 'comma2k19_segment', to: 'comma2k19_segment' },
  {
    from: 'dbc_opendbc',
    to: 'comma2k19_segment/dbc',
    files: [
      'LICENSE.txt',
      'SOURCE.md',
      'generator/toyota/_toyota_2017.dbc',
      'generator/toyota/_toyota_adas_standard.dbc',
      'generator/toyota/toyota_new_mc_pt.dbc',
    ],
  },
];

/** Originals with these endings are compressed; all others are small or compressed already and are committed as they are. */
const COMPRESSED_ENDINGS: readonly string[] = ['.csv', '.npy'];
/** Read by people in reviews, so kept as text although it ends in `.csv`. */
const PLAIN_NAMES: readonly string[] = ['events.csv'];

/** The committed name of an original: `.zst` is appended to what is compressed. */
export function packedName(originalName: string): string {
  const base = originalName.slice(originalName.lastIndexOf('/') + 1);
  if (PLAIN_NAMES.includes(base)) return originalName;
  return COMPRESSED_ENDINGS.some((ending) => base.endsWith(ending)) ? `${originalName}.zst` : originalName;
}

/** The committed bytes of an original; the frame carries zstd's own content checksum. */
export function packBytes(originalName: string, original: Uint8Array): Uint8Array {
  if (packedName(originalName) === originalName) return original;
  return zstdCompressSync(original, {
    params: {
      [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL,
      [constants.ZSTD_c_windowLog]: ZSTD_WINDOW_LOG,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
}

/** The original bytes of a committed file. */
export function unpackBytes(originalName: string, packed: Uint8Array): Uint8Array {
  if (packedName(originalName) === originalName) return packed;
  return zstdDecompressSync(packed, { maxOutputLength: ORIGINAL_SIZE_BYTES_MAX });
}

/** SHA-256 as lower-case hexadecimal. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** One line of the committed checksum list: the digest of the unpacked content and the original's name below `sim/recordings`. */
export type ChecksumLine = {
  readonly sha256: string;
  readonly name: string;
};

/** Writes the list in the form of `sha256sum`, sorted by name. */
export function formatChecksums(lines: readonly ChecksumLine[]): string {
  const sorted = lines.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return sorted.map((line) => `${line.sha256}  ${line.name}\n`).join('');
}

/** Reads the list; throws on any line that is not a digest, two spaces and a name. */
export function parseChecksums(text: string): readonly ChecksumLine[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const match = /^([0-9a-f]{64}) {2}(\S.*)$/.exec(line);
    if (match === null) throw new Error(`SHA256SUMS: not a checksum line: ${line}`);
    return { sha256: match[1] ?? '', name: match[2] ?? '' };
  });
}
