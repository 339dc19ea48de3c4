/** Why: leaf hashes and signed checkpoints outlive the process; 32 bytes an entry make proofs possible without the entries. */
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { TREE_HASH_BYTES } from '../ledger/merkle-tree.ts';
import type { CheckpointStore } from '../ports.ts';
import { makeFolderDurably, syncFolder, writeFileDurably } from './durable-file.ts';

const LEAVES_FILE = 'leaves.sha256';
/** So few are read in one go. */
const READ_AT_ONCE_LEAVES = 1_024;
const NOTE_SUFFIX = '.checkpoint';
/** Digits of the size in a file name: names sort as sizes do, up to the largest safe integer. */
const SIZE_DIGITS = 16;

/** Checkpoints in a folder: `leaves.sha256` (32 bytes a leaf, in order) and one `<size>.checkpoint` each. */
export class FolderCheckpoints implements CheckpointStore, AsyncDisposable {
  readonly #folder: string;
  readonly #leaves: FileHandle;
  #count: number;

  private constructor(folder: string, leaves: FileHandle, count: number) {
    this.#folder = folder;
    this.#leaves = leaves;
    this.#count = count;
  }

  /** Opens or creates the folder; a leaf that was only half written when the power went is cut off. */
  static async open(folder: string): Promise<FolderCheckpoints> {
    await makeFolderDurably(folder);
    const leaves = await open(join(folder, LEAVES_FILE), 'a+');
    const { size } = await leaves.stat();
    const count = Math.floor(size / TREE_HASH_BYTES);
    if (size !== count * TREE_HASH_BYTES) await leaves.truncate(count * TREE_HASH_BYTES);
    await syncFolder(folder);
    return new FolderCheckpoints(folder, leaves, count);
  }

  leafCount(): number {
    return this.#count;
  }

  async appendLeaves(leaves: readonly Uint8Array[]): Promise<void> {
    if (leaves.length === 0) return;
    try {
      await this.#leaves.appendFile(Buffer.concat(leaves));
      await this.#leaves.datasync();
    } catch (cause) {
      throw new FleetError(
        'LEDGER_UNAVAILABLE',
        `the leaf hashes cannot be written to ${this.#folder}: is the disk full?`,
        { cause },
      );
    }
    this.#count += leaves.length;
  }

  async *leaves(from: number, to: number): AsyncIterable<Uint8Array> {
    const end = Math.min(to, this.#count);
    if (from >= end) return;
    if (end - from <= READ_AT_ONCE_LEAVES) return yield* this.#fewLeaves(from, end);
    const range = { start: from * TREE_HASH_BYTES, end: end * TREE_HASH_BYTES - 1 };
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of createReadStream(join(this.#folder, LEAVES_FILE), range) as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = bytes.length - (bytes.length % TREE_HASH_BYTES);
      for (let offset = 0; offset < whole; offset += TREE_HASH_BYTES)
        yield bytes.subarray(offset, offset + TREE_HASH_BYTES);
      rest = bytes.subarray(whole);
    }
  }

  /** What a proof asks for. */
  async *#fewLeaves(from: number, end: number): AsyncIterable<Uint8Array> {
    const bytes = Buffer.alloc((end - from) * TREE_HASH_BYTES);
    const { bytesRead } = await this.#leaves.read(bytes, 0, bytes.length, from * TREE_HASH_BYTES);
    for (let offset = 0; offset + TREE_HASH_BYTES <= bytesRead; offset += TREE_HASH_BYTES)
      yield bytes.subarray(offset, offset + TREE_HASH_BYTES);
  }

  async save(size: number, note: string): Promise<void> {
    await writeFileDurably(join(this.#folder, `${String(size).padStart(SIZE_DIGITS, '0')}${NOTE_SUFFIX}`), note);
  }

  async notes(limit: number): Promise<readonly string[]> {
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith(NOTE_SUFFIX)).sort();
    return Promise.all(names.slice(-limit).map((name) => readFile(join(this.#folder, name), 'utf8')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leaves.close();
  }
}
