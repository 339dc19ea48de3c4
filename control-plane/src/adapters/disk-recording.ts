/** Recordings as files: read anywhere, and written so that a file is there whole or not at all and never takes the place of another. */
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import type { RecordingFile, RecordingOutput } from '../recording/ports.ts';
import { ACTIVE_SUFFIX, syncFolder } from './durable-file.ts';

/** @throws FleetError SOURCE_NOT_FOUND */
export async function openRecordingFile(path: string): Promise<RecordingFile> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new FleetError('SOURCE_NOT_FOUND', `${path} cannot be opened: name a file that exists`, { cause });
  });
  const found = await file.stat();
  if (!found.isFile()) {
    await file.close();
    throw new FleetError('SOURCE_NOT_FOUND', `${path} is not a file: name a recording`);
  }
  return {
    sizeBytes: found.size,
    read: async (offset, length) => {
      const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, found.size - offset)));
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, offset + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    },
    [Symbol.asyncDispose]: async () => file.close(),
  };
}

/**
 * Begins `path` under a name that says that it is unfinished. Nothing that exists is written over.
 * @throws FleetError REQUEST_INVALID when something of that name is there
 */
export async function createRecordingOutput(path: string): Promise<RecordingOutput> {
  const active = `${path}${ACTIVE_SUFFIX}`;
  await refuseExisting(path);
  const file = await open(active, 'wx').catch((cause: unknown) => {
    throw new FleetError(
      'REQUEST_INVALID',
      `${active} cannot be created: remove what an earlier run left, or name another file`,
      {
        cause,
      },
    );
  });
  return {
    write: async (bytes) => {
      for (let written = 0; written < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, written, bytes.length - written);
        written += bytesWritten;
      }
    },
    finish: async () => {
      await file.sync();
      await file.close();
      // A link fails where a rename would replace what somebody made meanwhile.
      await link(active, path).catch((cause: unknown) => {
        throw new FleetError('REQUEST_INVALID', `${path} exists: nothing is written over, name another file`, {
          cause,
        });
      });
      await rm(active);
      await syncFolder(dirname(path));
    },
    abandon: async () => {
      await file.close().catch(() => undefined);
      await rm(active, { force: true });
    },
  };
}

async function refuseExisting(path: string): Promise<void> {
  const isThere = await open(path, 'r').then(
    async (file) => file.close().then(() => true),
    () => false,
  );
  if (isThere) throw new FleetError('REQUEST_INVALID', `${path} exists: nothing is written over, name another file`);
}
