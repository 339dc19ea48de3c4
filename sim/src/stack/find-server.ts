/**
 * Why: a newcomer's machine may have the servers, may have Go, or may only have the internet. Each server is looked for
 * on PATH, then in the cache; if it is in neither, the pinned release is downloaded, or else built with Go.
 */
import { access, chmod, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { takeInstallLock } from './install-lock.ts';
import { reportWhile, type Progress } from './progress.ts';
import { downloadRelease } from './release-download.ts';
import { runCommand } from './run-command.ts';
import type { ServerRelease } from './server-release.ts';

const VERSION_TIMEOUT_MS = 10_000;
const BUILD_TIMEOUT_MS = 1_500_000;

export type FindServerOptions = {
  readonly cache: string;
  readonly onProgress: Progress;
  readonly signal: AbortSignal;
  /** Folders to search, in the form of PATH. */
  readonly path?: string;
};

/**
 * Finds or installs the binary of a server.
 * @returns its path
 * @throws FleetError `STACK_UNAVAILABLE` naming what was tried and the remedy
 */
export async function findServer(release: ServerRelease, options: FindServerOptions): Promise<string> {
  const onPath = await findOnPath(release, options);
  if (onPath !== undefined) return onPath;
  const cached = join(options.cache, 'bin', `${release.name}-${release.version}`);
  if (await isExecutable(cached)) return cached;
  using _lock = await takeInstallLock(join(options.cache, 'locks', `${release.name}.lock`), {
    signal: options.signal,
    onWait: () => options.onProgress(`${release.name}: waiting for another process that installs it`),
  });
  if (await isExecutable(cached)) return cached;
  await install(release, cached, options);
  return cached;
}

async function findOnPath(release: ServerRelease, options: FindServerOptions): Promise<string | undefined> {
  const folders = (options.path ?? process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of folders) {
    const path = join(folder, release.name);
    if ((await isExecutable(path)) && (await hasGoodVersion(release, path, options))) return path;
  }
  return undefined;
}

async function hasGoodVersion(release: ServerRelease, path: string, options: FindServerOptions): Promise<boolean> {
  try {
    const output = await runCommand(path, ['--version'], { signal: options.signal, timeoutMs: VERSION_TIMEOUT_MS });
    if (release.isGoodVersion(output)) return true;
    options.onProgress(`${path} is passed over: its version does not do (${output.trim()})`);
  } catch (error) {
    options.signal.throwIfAborted();
    options.onProgress(`${path} is passed over: ${FleetError.from(error).message}`);
  }
  return false;
}

async function install(release: ServerRelease, cached: string, options: FindServerOptions): Promise<void> {
  await mkdir(join(options.cache, 'bin'), { recursive: true });
  const work = await mkdtemp(join(options.cache, `install-${release.name}-`));
  try {
    const binary = await obtain(release, work, options);
    await chmod(binary, 0o755);
    await rename(binary, cached);
  } finally {
    // Go marks what it downloads as read-only, but only below its module cache, which is not here.
    await rm(work, { recursive: true, force: true });
  }
}

async function obtain(release: ServerRelease, work: string, options: FindServerOptions): Promise<string> {
  const label = `${release.name} ${release.version}`;
  let downloadFailure: FleetError;
  try {
    const downloaded = downloadRelease(release, join(work, 'release'), options.signal);
    return await reportWhile(`${label}: downloading the release`, downloaded, options.onProgress);
  } catch (error) {
    options.signal.throwIfAborted();
    downloadFailure = FleetError.from(error, 'STACK_UNAVAILABLE');
    options.onProgress(downloadFailure.message);
  }
  try {
    const built = buildWithGo(release, work, options.signal);
    return await reportWhile(`${label}: building it with Go (a few minutes, once)`, built, options.onProgress);
  } catch (error) {
    options.signal.throwIfAborted();
    const buildFailure = FleetError.from(error, 'STACK_UNAVAILABLE');
    throw new FleetError(
      'STACK_UNAVAILABLE',
      `${label} is not on this machine and cannot be installed: ${downloadFailure.message}; ${buildFailure.message}. Remedy: ${release.remedy}`,
      { cause: buildFailure },
    );
  }
}

async function buildWithGo(release: ServerRelease, work: string, signal: AbortSignal): Promise<string> {
  await runCommand('go', ['install', release.goPackage], {
    signal,
    timeoutMs: BUILD_TIMEOUT_MS,
    env: { GOBIN: work, CGO_ENABLED: '0' },
  });
  return join(work, release.name);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
