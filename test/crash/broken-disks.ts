/** Builds that are broken on purpose: each takes one promise of the disk away, and the lab must notice. */
import { crc32 } from 'node:zlib';
import type { Disk, DiskFile } from '@fleetloop/edge-agent';

type Change = {
  readonly file?: (file: DiskFile, path: string) => Partial<DiskFile>;
  readonly disk?: Partial<Disk>;
};

/** Says that a file is on disk when it is not. */
export const withoutFileSync = (disk: Disk): Disk => changed(disk, { file: () => ({ sync: async () => {} }) });

/** Says that a folder's entries are on disk when they are not. */
export const withoutFolderSync = (disk: Disk): Disk => changed(disk, { disk: { syncFolder: async () => {} } });

/** Removes a recording before the line that says why it goes is written. */
export const withRemovalBeforeTombstone = (disk: Disk): Disk =>
  changed(disk, {
    file: (file, path) => ({
      write: async (bytes) => {
        if (path.endsWith('index.journal')) await removeEnded(disk, path, new TextDecoder().decode(bytes));
        return file.write(bytes);
      },
    }),
  });

/** Says that claims are on disk when they are not. */
export const withoutClaimSync = (disk: Disk): Disk =>
  changed(disk, { file: (_, path) => (path.endsWith('claims.jsonl') ? { sync: async () => {} } : {}) });

/** Claims what was captured before a trigger and forgets what it wanted after it. */
export const withoutPostWindows = (disk: Disk): Disk =>
  changed(disk, {
    file: (file, path) => {
      if (!path.endsWith('claims.jsonl')) return {};
      return {
        write: async (bytes) => {
          const short = new TextEncoder().encode(shortClaims(new TextDecoder().decode(bytes)));
          for (let offset = 0; offset < short.length; ) offset += await file.write(short.subarray(offset));
          return bytes.length;
        },
      };
    },
  });

function shortClaims(text: string): string {
  return text.replaceAll(/^[0-9a-f]{8} (\{"kind":"claim".*\})$/gm, (_, json: string) => {
    const short = json.replace(/("timeNs":"(\d+)".*"endNs":")\d+"/, '$1$2"');
    return `${crc32(short).toString(16).padStart(8, '0')} ${short}`;
  });
}

async function removeEnded(disk: Disk, journal: string, text: string): Promise<void> {
  const queue = journal.replace('index.journal', 'queue');
  for (const [, eventId] of text.matchAll(/"id":"([^"]+)","digest":"[^"]*","[^\n]*"outcome":"evicted"/g)) {
    for (const { name } of await disk.list(queue))
      if (name.startsWith(`${eventId}.`)) await disk.remove(`${queue}/${name}`);
    await disk.syncFolder(queue);
  }
}

function changed(disk: Disk, change: Change): Disk {
  const bound: Disk = {
    open: async (path, mode) => {
      const file = await disk.open(path, mode);
      return { ...file, ...change.file?.(file, path) };
    },
    rename: async (path, target) => disk.rename(path, target),
    remove: async (path) => disk.remove(path),
    makeFolder: async (path) => disk.makeFolder(path),
    syncFolder: async (path) => disk.syncFolder(path),
    list: async (path) => disk.list(path),
    sizeOf: async (path) => disk.sizeOf(path),
    freeBytes: async (path) => disk.freeBytes(path),
  };
  return { ...bound, ...change.disk };
}
