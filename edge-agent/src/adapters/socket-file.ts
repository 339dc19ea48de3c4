/** The file of a Unix domain socket: a stale one goes, one in use and any other file stay. */
import { chmodSync, chownSync, lstatSync, unlinkSync } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { FleetError } from '@fleetloop/schemas';

/** `sun_path` of Linux, less the byte that ends it. */
const PATH_BYTES_MAX = 107;
const OWNER_ONLY = 0o600;
const OWNER_AND_GROUP = 0o660;
const NOBODY_ELSE = 0o177;

/**
 * Listens on `path`; nobody but the owner can connect at any moment, then the group if one is named.
 * @throws FleetError CONFIG_INVALID
 */
export async function listenOnSocketFile(server: Server, path: string, groupId: number | undefined): Promise<void> {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    throw new FleetError(
      'CONFIG_INVALID',
      `the socket path ${path} is over ${PATH_BYTES_MAX} bytes: use a shorter folder`,
    );
  }
  await removeStale(path);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).once('listening', resolve);
  // The file is made inside the call: the mask makes it private from its first moment.
  const mask = process.umask(NOBODY_ELSE);
  try {
    server.listen(path);
  } finally {
    process.umask(mask);
  }
  try {
    await promise;
    chmodSync(path, groupId === undefined ? OWNER_ONLY : OWNER_AND_GROUP);
    if (groupId !== undefined) chownSync(path, process.geteuid?.() ?? -1, groupId);
  } catch (cause) {
    server.close();
    throw new FleetError('CONFIG_INVALID', `the socket ${path} cannot be opened: check its folder and the group`, {
      cause,
    });
  }
}

/** A socket that nobody listens on is left over from a process that was killed. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new FleetError('CONFIG_INVALID', `${path} is there and is no socket: remove it or name another path`);
  }
  if (await isAnswered(path)) {
    throw new FleetError('CONFIG_INVALID', `another process listens on ${path}: stop it or name another path`);
  }
  unlinkSync(path);
}

async function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createConnection(path);
  socket.once('connect', () => resolve(true));
  // Only a refusal says that nobody listens; a full backlog or a missing right does not.
  socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  const isTaken = await promise;
  socket.destroy();
  return isTaken;
}
