/** A disk in memory for tests: folders, files, and nothing that a process leaves behind. */
import type { Disk, DiskFile } from '../ports.ts';

export type MemoryDisk = Disk & {
  /** Contents by path; tests may bend them. */
  readonly files: Map<string, Uint8Array>;
  /** A copy as a power cut would leave it now, with everything that was written. */
  readonly copy: () => MemoryDisk;
  /** Thrown by each write from now on; undefined for a disk that takes everything. */
  failWrites: NodeJS.ErrnoException | undefined;
};

export function memoryDisk(files: Map<string, Uint8Array> = new Map()): MemoryDisk {
  const folders = new Set<string>();
  const disk: MemoryDisk = {
    files,
    failWrites: undefined,
    copy: () => memoryDisk(new Map(Array.from(files, ([path, bytes]) => [path, bytes.slice()]))),
    open: async (path, mode) => {
      if (mode !== 'read' && disk.failWrites !== undefined) throw disk.failWrites;
      if (mode === 'read' && !files.has(path)) throw missing(path);
      if (mode === 'create' || !files.has(path)) files.set(path, new Uint8Array());
      return openFile(disk, path);
    },
    rename: async (path, target) => {
      for (const [name, bytes] of Array.from(files)) {
        if (name !== path && !name.startsWith(`${path}/`)) continue;
        files.delete(name);
        files.set(target + name.slice(path.length), bytes);
      }
    },
    remove: async (path) => {
      files.delete(path);
    },
    makeFolder: async (path) => {
      folders.add(path);
    },
    syncFolder: async () => {},
    list: async (path) => listed(files, path),
    sizeOf: async (path) => files.get(path)?.length,
    freeBytes: async () => Number.MAX_SAFE_INTEGER,
  };
  return disk;
}

function openFile(disk: MemoryDisk, path: string): DiskFile {
  const bytes = (): Uint8Array => disk.files.get(path) ?? new Uint8Array();
  return {
    write: async (added) => {
      if (disk.failWrites !== undefined) throw disk.failWrites;
      // Short on purpose: whoever writes has to go on.
      const taken = added.subarray(0, Math.max(1, Math.ceil(added.length / 2)));
      disk.files.set(path, Buffer.concat([bytes(), taken]));
      return taken.length;
    },
    read: async (buffer, position) => {
      const part = bytes().subarray(position, position + buffer.length);
      buffer.set(part);
      return part.length;
    },
    sync: async () => {
      if (disk.failWrites !== undefined) throw disk.failWrites;
    },
    truncate: async (sizeBytes) => {
      disk.files.set(path, bytes().slice(0, sizeBytes));
    },
    close: async () => {},
  };
}

function listed(files: ReadonlyMap<string, Uint8Array>, folder: string): Awaited<ReturnType<Disk['list']>> {
  const entries = new Map<string, { name: string; sizeBytes: number; isFolder: boolean }>();
  for (const [path, bytes] of files) {
    if (!path.startsWith(`${folder}/`)) continue;
    const [name = '', ...below] = path.slice(folder.length + 1).split('/');
    entries.set(name, { name, sizeBytes: below.length === 0 ? bytes.length : 0, isFolder: below.length > 0 });
  }
  return [...entries.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const missing = (path: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`ENOENT: no such file ${path}`), { code: 'ENOENT' });
