/** Why: tables of features go to the blob store by way of a file of our own, because DuckDB writes files. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '@fleetloop/schemas';
import type { ControlPlane } from '../processes/control-plane-context.ts';

/** Stores the file that `write` makes, and leaves nothing behind. */
export async function storeWritten(
  { config, blobs }: Pick<ControlPlane, 'config' | 'blobs'>,
  write: (path: string) => Promise<void>,
): Promise<Digest> {
  const folder = join(config.dataDir, 'work', randomUUID());
  await mkdir(folder, { recursive: true });
  try {
    const path = join(folder, 'features.parquet');
    await write(path);
    return await blobs.put(await readFile(path));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
