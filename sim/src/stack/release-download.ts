/** Why: a release archive is used only when its digest is the one expected, and only its one binary is taken out. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { runCommand } from './run-command.ts';
import { releasePlatform, type ServerRelease } from './server-release.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const DOWNLOAD_TIMEOUT_MS = 300_000;
const ARCHIVE_BYTES_MAX = 300 * 1_024 * 1_024;
const CHECKSUM_LIST_BYTES_MAX = 1_024 * 1_024;
const EXTRACT_TIMEOUT_MS = 60_000;

/**
 * Downloads a release, checks its sha256 and extracts it below `folder`.
 * @returns the path of the binary
 * @throws FleetError `STACK_UNAVAILABLE` for an unknown platform, an unreachable release, or a wrong digest
 */
export async function downloadRelease(release: ServerRelease, folder: string, signal: AbortSignal): Promise<string> {
  const target = releasePlatform(platform(), arch());
  if (target === undefined) throw unavailable(release, `no release exists for ${platform()} ${arch()}`);
  const archiveName = release.archiveName(target);
  const expected = await expectedSha256(release, archiveName, signal);
  const archive = await fetchBytes(release, archiveName, ARCHIVE_BYTES_MAX, signal);
  const actual = createHash('sha256').update(archive).digest('hex');
  if (actual !== expected) {
    throw unavailable(release, `${archiveName} has sha256 ${actual}, but ${expected} was expected; it is not used`);
  }
  await mkdir(folder, { recursive: true });
  const archivePath = join(folder, archiveName);
  await writeFile(archivePath, archive);
  await runCommand('tar', ['-xzf', archivePath, '-C', folder], { signal, timeoutMs: EXTRACT_TIMEOUT_MS });
  return findExtracted(release, folder);
}

async function expectedSha256(release: ServerRelease, archiveName: string, signal: AbortSignal): Promise<string> {
  const { checksum } = release;
  if (checksum.kind === 'pinned') {
    const sha256 = checksum.sha256ByArchive[archiveName];
    if (sha256 === undefined) throw unavailable(release, `no digest is pinned for ${archiveName}`);
    return sha256;
  }
  const list = (await fetchBytes(release, checksum.fileName, CHECKSUM_LIST_BYTES_MAX, signal)).toString('utf8');
  const sha256 = parseChecksumList(list).get(archiveName);
  if (sha256 === undefined) throw unavailable(release, `${checksum.fileName} does not name ${archiveName}`);
  return sha256;
}

/** Reads the output form of `sha256sum`: digest, blanks, an optional `*`, file name. Other lines are passed over. */
export function parseChecksumList(text: string): ReadonlyMap<string, string> {
  const lines = text.split(/\r?\n/).map((line) => /^([0-9a-f]{64})[ \t]+\*?(\S+)$/i.exec(line.trim()));
  return new Map(lines.flatMap((match) => (match === null ? [] : [[match[2] ?? '', (match[1] ?? '').toLowerCase()]])));
}

async function fetchBytes(
  release: ServerRelease,
  fileName: string,
  sizeBytesMax: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const url = `${release.downloadUrl}/${fileName}`;
  const connect = new AbortController();
  const timer = setTimeout(() => connect.abort(new Error('no answer')), CONNECT_TIMEOUT_MS);
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, connect.signal, AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS)]),
    });
    clearTimeout(timer);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return await readBounded(response, sizeBytesMax);
  } catch (error) {
    throw unavailable(release, `${url} cannot be downloaded (${reasonOf(error)})`, error);
  } finally {
    clearTimeout(timer);
  }
}

async function readBounded(response: Response, sizeBytesMax: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of response.body ?? []) {
    sizeBytes += part.byteLength;
    if (sizeBytes > sizeBytesMax) throw new Error(`longer than ${sizeBytesMax} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function findExtracted(release: ServerRelease, folder: string): Promise<string> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const binary = files.find((file) => file.isFile() && file.name === release.name);
  if (binary === undefined) throw unavailable(release, `the archive holds no file named ${release.name}`);
  return join(binary.parentPath, binary.name);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function unavailable(release: ServerRelease, message: string, cause?: unknown): FleetError {
  return new FleetError('STACK_UNAVAILABLE', `${release.name} ${release.version}: ${message}`, { cause });
}
