/** Why: a file that says "done" must not be there before its content is, even when the power fails in between. */
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

const OWNER_ONLY = 0o600;

/** Writes a file that only its owner can read: temporary name, fsync, rename, fsync of the folder. */
export async function writeFileDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.active`;
  const file = await open(temporary, 'w', OWNER_ONLY);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
