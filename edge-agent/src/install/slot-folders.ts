// Why this file exists: slots are folders and the state is a file; what is said to be on disk must be there after a power cut.
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { INITIAL_STATE, InstallState } from './install-state.ts';

/** A place for one bundle: one of the two slots, or the shadow beside them. */
export type Place = 'slot-A' | 'slot-B' | 'shadow';
export const PLACES: readonly Place[] = ['slot-A', 'slot-B', 'shadow'];

/** Disk of the installation; every write is durable when its promise resolves. */
export interface SlotFolders {
  /** Removes whatever the place holds. */
  clear(place: Place): Promise<void>;
  write(place: Place, name: string, bytes: Uint8Array): Promise<void>;
  /** undefined when there is no such file. */
  read(place: Place, name: string): Promise<Uint8Array | undefined>;
  readState(): Promise<InstallState>;
  writeState(state: InstallState): Promise<void>;
}

const STATE_FILE = 'state.json';

/** Opens the folders below `root`, making them as needed. */
export async function openSlotFolders(root: string): Promise<SlotFolders> {
  await mkdir(root, { recursive: true });
  return {
    async clear(place) {
      await rm(join(root, place), { recursive: true, force: true });
      await mkdir(join(root, place), { recursive: true });
      await syncFolder(root);
    },
    write: (place, name, bytes) => writeDurably(join(root, place, name), bytes),
    read: (place, name) => readIfPresent(join(root, place, name)),
    readState: async () => parseState(await readIfPresent(join(root, STATE_FILE))),
    writeState: (state) => writeDurably(join(root, STATE_FILE), Buffer.from(JSON.stringify(state))),
  };
}

/** Writes beside the target, syncs, renames, syncs the folder: the name never points at half a file. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const scratch = `${path}.active`;
  const file = await open(scratch, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(scratch, path);
  await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw cause;
  }
}

function parseState(bytes: Uint8Array | undefined): InstallState {
  if (bytes === undefined) return INITIAL_STATE;
  try {
    return InstallState.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (cause) {
    // Without its counter a vehicle could be sent back to an old model: better no start than that.
    throw new FleetError('INSTALL_INCOMPATIBLE', 'the installation state on disk is damaged: enrol the vehicle anew', {
      cause,
    });
  }
}
