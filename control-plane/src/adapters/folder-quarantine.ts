/** Refused uploads in a folder per refusal: `reason.json` and, within the quota, the bytes as they came. */
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Quarantine, QuarantineReason } from '../ingest/ports.ts';
import { ACTIVE_SUFFIX, syncFolder, writeFileDurably } from './durable-file.ts';

const EVIDENCE_FILE = 'evidence.bin';
const REASON_FILE = 'reason.json';

export class FolderQuarantine implements Quarantine {
  readonly #root: string;
  readonly #bytesMax: number;
  #bytes: number;

  private constructor(root: string, bytesMax: number, bytes: number) {
    this.#root = root;
    this.#bytesMax = bytesMax;
    this.#bytes = bytes;
  }

  static async open(root: string, bytesMax: number): Promise<FolderQuarantine> {
    await mkdir(root, { recursive: true });
    let bytes = 0;
    for (const name of await readdir(root)) {
      if (name.endsWith(ACTIVE_SUFFIX)) await rm(join(root, name), { recursive: true, force: true });
      else bytes += await sizeOf(join(root, name, EVIDENCE_FILE));
    }
    return new FolderQuarantine(root, bytesMax, bytes);
  }

  async keep(
    key: string,
    reason: QuarantineReason,
    evidence: { readonly file?: string; readonly bytes?: Uint8Array },
  ): Promise<void> {
    const folder = join(this.#root, key);
    if ((await sizeOf(join(folder, REASON_FILE))) > 0) return;
    const active = `${folder}${ACTIVE_SUFFIX}`;
    await rm(active, { recursive: true, force: true });
    await mkdir(active);
    const sizeBytes = evidence.file === undefined ? (evidence.bytes?.length ?? 0) : await sizeOf(evidence.file);
    const isKept = this.#bytes + sizeBytes <= this.#bytesMax;
    if (isKept && evidence.file !== undefined) await copyFile(evidence.file, join(active, EVIDENCE_FILE));
    else if (isKept && evidence.bytes !== undefined)
      await writeFileDurably(join(active, EVIDENCE_FILE), evidence.bytes);
    if (isKept) this.#bytes += sizeBytes;
    const record = { ...reason, sizeBytes, isEvidenceKept: isKept };
    await writeFileDurably(join(active, REASON_FILE), `${JSON.stringify(record, null, 2)}\n`);
    await rename(active, folder);
    await syncFolder(this.#root);
  }

  async open(key: string): Promise<Readable | undefined> {
    const path = join(this.#root, key, EVIDENCE_FILE);
    return (await sizeOf(path)) === 0 ? undefined : createReadStream(path);
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
