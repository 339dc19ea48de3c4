/** The spool's folder on a real disk: every change is on disk, folder entry included, before it is reported. */
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FleetError, type RecordingMetadata, type SourceMessage } from '@fleetloop/schemas';
import { RecordingWriter } from '@fleetloop/schemas/recording';
import type { SpoolFiles, WrittenRecording } from '../ports.ts';

export class SpoolFolder implements SpoolFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async writeRecording(
    name: string,
    metadata: RecordingMetadata,
    messages: Iterable<SourceMessage>,
  ): Promise<WrittenRecording> {
    const position = await this.#replace(name, async (file) => {
      const writable = new FileWritable(file);
      const writer = await RecordingWriter.open(writable, metadata);
      for (const message of messages) await writer.write(message);
      await writer.close();
      return writable.position();
    });
    return { sizeBytes: Number(position) };
  }

  async writeText(name: string, text: string): Promise<void> {
    await this.#replace(name, async (file) => file.writeFile(text));
  }

  async appendLine(name: string, line: string): Promise<void> {
    const path = join(this.#root, name);
    await asWriteError(path, async () => {
      const isNew = (await sizeOf(path)) === undefined;
      if (isNew) await mkdir(dirname(path), { recursive: true });
      await using file = await open(path, 'a');
      await file.writeFile(`${line}\n`);
      await file.datasync();
      if (isNew) await syncFolder(dirname(path));
    });
  }

  async readText(name: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#root, name), 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw new FleetError('SPOOL_CORRUPT', `${join(this.#root, name)} cannot be read (${codeOf(error)})`, {
        cause: error,
      });
    }
  }

  async readBytes(name: string, offset: number, length: number): Promise<Uint8Array> {
    const path = join(this.#root, name);
    try {
      await using file = await open(path, 'r');
      const buffer = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    } catch (error) {
      throw new FleetError('SPOOL_CORRUPT', `${path} cannot be read (${codeOf(error)})`, { cause: error });
    }
  }

  async list(folder: string): Promise<readonly { readonly name: string; readonly sizeBytes: number }[]> {
    const names = await readdir(join(this.#root, folder)).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    });
    const sorted = names.toSorted((a, b) => (a < b ? -1 : 1));
    const files = sorted.map(async (name) => ({
      name: `${folder}/${name}`,
      sizeBytes: (await sizeOf(join(this.#root, folder, name))) ?? 0,
    }));
    return Promise.all(files);
  }

  async move(name: string, target: string): Promise<void> {
    const path = join(this.#root, target);
    await asWriteError(path, async () => {
      await mkdir(dirname(path), { recursive: true });
      await rename(join(this.#root, name), path);
      await syncFolder(dirname(path));
    });
  }

  async remove(name: string): Promise<void> {
    const path = join(this.#root, name);
    await asWriteError(path, async () => rm(path, { force: true }));
  }

  async #replace<T>(name: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
    const path = join(this.#root, name);
    const active = `${path}.active`;
    return asWriteError(path, async () => {
      await mkdir(dirname(path), { recursive: true });
      let result: T;
      try {
        await using file = await open(active, 'w');
        result = await write(file);
        await file.sync();
      } catch (error) {
        await rm(active, { force: true });
        throw error;
      }
      await rename(active, path);
      await syncFolder(dirname(path));
      return result;
    });
  }
}

/** MCAP's view of a file. The system may take fewer bytes than it was given: the rest is offered again. */
export class FileWritable {
  readonly #file: Pick<FileHandle, 'write'>;
  #position = 0n;

  constructor(file: Pick<FileHandle, 'write'>) {
    this.#file = file;
  }

  position(): bigint {
    return this.#position;
  }

  async write(buffer: Uint8Array): Promise<void> {
    let offset = 0;
    while (offset < buffer.byteLength) {
      const { bytesWritten } = await this.#file.write(buffer, offset, buffer.byteLength - offset);
      if (bytesWritten === 0) throw new Error('the file takes no more bytes');
      offset += bytesWritten;
    }
    this.#position += BigInt(buffer.byteLength);
  }
}

async function asWriteError<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FleetError) throw error;
    throw new FleetError(
      'RECORD_WRITE',
      `${path} cannot be written (${codeOf(error)}): free disk space or check its permissions`,
      { cause: error },
    );
  }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => found.size,
    () => undefined,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
