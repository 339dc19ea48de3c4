/** Why: the command line as people run it, a process of its own against a running control plane. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ControlPlaneProcess } from './control-plane-process.ts';

const CLI = join(import.meta.dirname, '../../control-plane/src/processes/cli.ts');

export type CliRun = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type CliPlace = {
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly preload?: string;
  /** Kills it. */
  readonly signal?: AbortSignal;
};

/** `code` is null for a process that was killed. */
export async function runCli(
  controlPlane: Pick<ControlPlaneProcess, 'url' | 'token'>,
  command: readonly string[],
  { folder, environment, preload, signal }: CliPlace = {},
): Promise<CliRun> {
  const env = { ...process.env, FLEETLOOP_URL: controlPlane.url, FLEETLOOP_TOKEN: controlPlane.token, ...environment };
  const child = spawn(process.execPath, [...(preload === undefined ? [] : ['--import', preload]), CLI, ...command], {
    env,
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  signal?.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: child.exitCode, stdout, stderr };
}
