/**
 * A disk in memory that knows what would survive a power cut. Bytes that were not synced and folder entries whose folder was not
 * synced are lost, kept or kept in part, as the seed has it. It can lose power at any operation and fail at any write.
 */
import type { Disk, DiskFile } from '@fleetloop/edge-agent';
import type { SeededRandom } from '@fleetloop/sim';

const EMPTY = new Uint8Array(0);
const CAPACITY_BYTES = 1_000_000_000;

/** What can be told of an operation that changes the disk. */
export type DiskOperation = {
  readonly kind: 'create' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'makeFolder' | 'syncFolder';
  readonly path: string;
};

/** Writes and syncs fail from the `at`th on, `times` times. `short` takes only a part of the bytes. */
export type WriteFault = { readonly kind: 'ENOSPC' | 'EIO' | 'short'; readonly at: number; readonly times: number };

export type CrashDiskOptions = {
  readonly random: SeededRandom;
  /** Power goes at this operation, counted from 1. */
  readonly cutAt?: number;
  readonly fault?: WriteFault;
  /** Bytes that fit on it; a write that does not fit is taken in part, the next one not at all. */
  readonly capacityBytes?: number;
  /** What an earlier disk left. */
  readonly survived?: Survived;
};

/** Content of a disk that was off. */
export type Survived = { readonly files: ReadonlyMap<string, Uint8Array>; readonly folders: ReadonlySet<string> };

type Inode = { bytes: Uint8Array; durable: Uint8Array };
/** A change of folder entries that is not durable yet; it becomes so with its folder. */
type EntryChange = {
  readonly folder: string;
  readonly removes: readonly string[];
  readonly adds: readonly [string, Inode][];
};

export class CrashDisk implements Disk {
  readonly #options: CrashDiskOptions;
  readonly #files = new Map<string, Inode>();
  readonly #durable = new Map<string, Inode>();
  readonly #folders: Set<string>;
  #changes: EntryChange[] = [];
  #operations: DiskOperation[] = [];
  #writes = 0;
  #isCut = false;

  constructor(options: CrashDiskOptions) {
    this.#options = options;
    this.#folders = new Set(options.survived?.folders ?? ['/']);
    for (const [path, bytes] of options.survived?.files ?? []) {
      const inode = { bytes, durable: bytes };
      this.#files.set(path, inode);
      this.#durable.set(path, inode);
    }
  }

  /** Operations so far; each is a point where power can go. */
  get operations(): readonly DiskOperation[] {
    return this.#operations;
  }

  /** Writes and syncs so far; each can fail. */
  get writes(): number {
    return this.#writes;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Power goes now. What is left depends on chance where the disk had the choice. */
  cut(): Survived {
    this.#isCut = true;
    const files = new Map(this.#durable);
    const folders = [...new Set(this.#changes.map((change) => change.folder))];
    // Entries of one folder reach the disk in their order, those of two folders do not.
    for (const folder of folders) {
      const changes = this.#changes.filter((change) => change.folder === folder);
      const kept = this.#options.random.integer(0, changes.length);
      for (const change of changes.slice(0, kept)) applyChange(files, change);
    }
    const contents = [...files].map(([path, inode]): [string, Uint8Array] => [path, this.#survivingBytes(inode)]);
    return { files: new Map(contents), folders: this.#folders };
  }

  async open(path: string, mode: 'read' | 'create' | 'append'): Promise<DiskFile> {
    this.#checkPower();
    const found = this.#files.get(path);
    if (mode === 'read') return this.#handle(path, found ?? fail('ENOENT', path));
    if (found !== undefined && mode === 'append') return this.#handle(path, found);
    this.#needFolder(path);
    const inode = found ?? { bytes: EMPTY, durable: EMPTY };
    this.#operate({ kind: 'create', path }, () => {
      inode.bytes = EMPTY;
      if (found !== undefined) return;
      this.#files.set(path, inode);
      this.#changes.push({ folder: folderOf(path), removes: [], adds: [[path, inode]] });
    });
    return this.#handle(path, inode);
  }

  async rename(path: string, target: string): Promise<void> {
    this.#checkPower();
    const inode = this.#files.get(path) ?? fail('ENOENT', path);
    this.#needFolder(target);
    this.#operate({ kind: 'rename', path: target }, () => {
      this.#files.delete(path);
      this.#files.set(target, inode);
      this.#changes.push({ folder: folderOf(target), removes: [path], adds: [[target, inode]] });
    });
  }

  async remove(path: string): Promise<void> {
    this.#checkPower();
    if (!this.#files.has(path)) return;
    this.#operate({ kind: 'remove', path }, () => {
      this.#files.delete(path);
      this.#changes.push({ folder: folderOf(path), removes: [path], adds: [] });
    });
  }

  async makeFolder(path: string): Promise<void> {
    this.#checkPower();
    if (this.#folders.has(path)) return;
    this.#operate({ kind: 'makeFolder', path }, () => {
      for (let folder = path; folder !== ''; folder = folderOf(folder)) this.#folders.add(folder);
    });
  }

  async syncFolder(path: string): Promise<void> {
    this.#checkPower();
    if (!this.#folders.has(path)) fail('ENOENT', path);
    this.#operate({ kind: 'syncFolder', path }, () => {
      for (const change of this.#changes) if (change.folder === path) applyChange(this.#durable, change);
      this.#changes = this.#changes.filter((change) => change.folder !== path);
    });
  }

  async list(path: string): Promise<{ name: string; sizeBytes: number; isFolder: boolean }[]> {
    this.#checkPower();
    const inside = (each: string): boolean => each !== path && folderOf(each) === path;
    const name = (each: string): string => each.slice(path.length + 1);
    const files = [...this.#files].filter(([each]) => inside(each));
    const folders = [...this.#folders].filter(inside);
    return [
      ...files.map(([each, { bytes }]) => ({ name: name(each), sizeBytes: bytes.length, isFolder: false })),
      ...folders.map((each) => ({ name: name(each), sizeBytes: 0, isFolder: true })),
    ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async sizeOf(path: string): Promise<number | undefined> {
    this.#checkPower();
    return this.#files.get(path)?.bytes.length;
  }

  async freeBytes(): Promise<number> {
    this.#checkPower();
    return this.#room();
  }

  /** All paths that are there now, for the tests' own look around. */
  paths(): readonly string[] {
    return [...this.#files.keys()].toSorted();
  }

  #handle(path: string, inode: Inode): DiskFile {
    return {
      write: async (bytes) => {
        this.#checkPower();
        const taken = this.#takenOf(path, bytes);
        this.#operate({ kind: 'write', path }, () => {
          inode.bytes = joined(inode.bytes, bytes.subarray(0, taken));
        });
        return taken;
      },
      read: async (buffer, position) => {
        this.#checkPower();
        const part = inode.bytes.subarray(position, position + buffer.length);
        buffer.set(part);
        return part.length;
      },
      sync: async () => {
        this.#checkPower();
        this.#takenOf(path, EMPTY);
        this.#operate({ kind: 'sync', path }, () => {
          inode.durable = inode.bytes;
        });
      },
      truncate: async (sizeBytes) => {
        this.#checkPower();
        this.#operate({ kind: 'truncate', path }, () => {
          inode.bytes = inode.bytes.slice(0, sizeBytes);
        });
      },
      close: async () => this.#checkPower(),
    };
  }

  /** Counts a write or sync and fails it when it is its turn. */
  #takenOf(path: string, bytes: Uint8Array): number {
    this.#writes += 1;
    const { fault } = this.#options;
    if (fault === undefined || this.#writes < fault.at || this.#writes >= fault.at + fault.times) {
      const room = bytes.length === 0 ? 0 : this.#room();
      if (bytes.length > 0 && room === 0) fail('ENOSPC', path);
      return Math.min(bytes.length, room);
    }
    if (fault.kind === 'short') return Math.max(Math.min(1, bytes.length), Math.floor(bytes.length / 3));
    return fail(fault.kind, path);
  }

  #room(): number {
    const used = [...this.#files.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    return Math.max(0, (this.#options.capacityBytes ?? CAPACITY_BYTES) - used);
  }

  /** Does something that changes the disk, or dies in the middle of it: then it may have happened or not. */
  #operate(operation: DiskOperation, apply: () => void): void {
    this.#operations.push(operation);
    const isCut = this.#operations.length === this.#options.cutAt;
    if (!isCut || this.#options.random.chance(0.5)) apply();
    this.#isCut = isCut;
    this.#checkPower();
  }

  #checkPower(): void {
    if (this.#isCut) fail('EPOWER', 'the disk');
  }

  #needFolder(path: string): void {
    if (!this.#folders.has(folderOf(path))) fail('ENOENT', folderOf(path));
  }

  /** All of it, nothing of what was not synced, a part, or a part that was given room but never filled. */
  #survivingBytes({ bytes, durable }: Inode): Uint8Array {
    if (bytes === durable) return bytes;
    const { random } = this.#options;
    const choice = random.integer(0, 3);
    if (choice === 0) return durable;
    if (choice === 1 || bytes.length <= durable.length) return bytes;
    const kept = bytes.slice(0, random.integer(durable.length, bytes.length));
    if (choice === 3) kept.fill(0, random.integer(durable.length, kept.length));
    return kept;
  }
}

function applyChange(files: Map<string, Inode>, { removes, adds }: EntryChange): void {
  for (const path of removes) files.delete(path);
  for (const [path, inode] of adds) files.set(path, inode);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));

function fail(code: string, path: string): never {
  throw Object.assign(new Error(`${code}: ${path}`), { code });
}
