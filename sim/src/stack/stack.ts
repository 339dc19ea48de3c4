/**
 * Why: the loop runs on real servers, and nobody should have to install or start them by hand. One call finds or
 * installs each, starts all at once in folders of their own, and stops all of them together.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FleetError } from '@fleetloop/schemas';
import { cacheFolder } from './cache-folder.ts';
import {
  externalMlflow,
  externalNats,
  externalPython,
  externalTemporal,
  type Environment,
} from './external-servers.ts';
import { findServer } from './find-server.ts';
import { findFreePorts } from './free-port.ts';
import { startMlflowServer, type MlflowServer } from './mlflow-server.ts';
import { startNatsServer, type LocalServerOptions, type NatsServer } from './nats-server.ts';
import type { Progress } from './progress.ts';
import { preparePythonEnvironment } from './python-environment.ts';
import { NATS_SERVER, TEMPORAL } from './server-release.ts';
import { startTemporalServer, type TemporalServer } from './temporal-server.ts';

const REQUIREMENTS = join(import.meta.dirname, '../../../control-plane/trainers/requirements.txt');

export type StackOptions = {
  /** Data, keys and logs of this stack. A folder that a former stack left is continued. */
  readonly root: string;
  /** Stops everything when it aborts, during the start or later. */
  readonly signal?: AbortSignal;
  /** Lines for the person who waits; by default they go to standard error. */
  readonly onProgress?: Progress;
  /** Serve Temporal's web page too. */
  readonly withTemporalUi?: boolean;
};

/** The running servers. Disposing it stops those that it started and leaves nothing behind. */
export type Stack = AsyncDisposable & {
  readonly nats: NatsServer;
  readonly temporal: TemporalServer;
  readonly mlflow: MlflowServer;
  /** Path of a Python interpreter that has the packages of the reference trainer. */
  readonly python: string;
  /** Folder of the servers' logs. */
  readonly logs: string;
};

/**
 * Finds or installs, starts and health-checks all servers.
 * @throws FleetError `STACK_UNAVAILABLE` naming what is missing and its remedy; nothing is left running then
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  await using resources = new AsyncDisposableStack();
  const failed = new AbortController();
  const signal = AbortSignal.any(options.signal === undefined ? [failed.signal] : [options.signal, failed.signal]);
  signal.throwIfAborted();
  const context = await makeContext(options, signal, resources);
  const parts = [startNats(context), startTemporal(context), startPythonSide(context)] as const;
  try {
    const [nats, temporal, pythonSide] = await Promise.all(parts);
    const owned = resources.move();
    const close = once(async () => owned.disposeAsync());
    options.signal?.addEventListener('abort', () => void close(), { once: true });
    return { nats, temporal, ...pythonSide, logs: context.logs, [Symbol.asyncDispose]: close };
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(parts);
    options.signal?.throwIfAborted();
    throw FleetError.from(error, 'STACK_UNAVAILABLE');
  }
}

/** Installs whatever the stack needs, without starting anything: a first step for tests and for offline machines. */
export async function prepareStack(options: Pick<StackOptions, 'signal' | 'onProgress'>): Promise<void> {
  const failed = new AbortController();
  const find = {
    cache: cacheFolder(),
    onProgress: options.onProgress ?? printProgress,
    signal: AbortSignal.any(options.signal === undefined ? [failed.signal] : [options.signal, failed.signal]),
  };
  const env: Environment = process.env;
  const parts: Promise<string>[] = [];
  if (externalNats(env) === undefined) parts.push(findServer(NATS_SERVER, find));
  if (externalTemporal(env) === undefined) parts.push(findServer(TEMPORAL, find));
  if (externalPython(env) === undefined) {
    parts.push(preparePythonEnvironment({ ...find, requirements: REQUIREMENTS }));
  }
  try {
    await Promise.all(parts);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(parts);
    throw FleetError.from(error, 'STACK_UNAVAILABLE');
  }
}

type Context = {
  readonly root: string;
  readonly logs: string;
  readonly cache: string;
  readonly env: Environment;
  readonly onProgress: Progress;
  readonly signal: AbortSignal;
  readonly resources: AsyncDisposableStack;
  readonly ports: {
    readonly nats: number;
    readonly temporal: number;
    readonly mlflow: number;
    readonly ui: number | undefined;
  };
};

async function makeContext(
  options: StackOptions,
  signal: AbortSignal,
  resources: AsyncDisposableStack,
): Promise<Context> {
  const root = resolve(options.root);
  const logs = join(root, 'logs');
  await mkdir(logs, { recursive: true });
  const [nats = 0, temporal = 0, mlflow = 0, ui = 0] = await findFreePorts(4);
  return {
    root,
    logs,
    cache: cacheFolder(),
    env: process.env,
    onProgress: options.onProgress ?? printProgress,
    signal,
    resources,
    ports: { nats, temporal, mlflow, ui: options.withTemporalUi === true ? ui : undefined },
  };
}

async function startNats(context: Context): Promise<NatsServer> {
  const external = externalNats(context.env);
  if (external !== undefined) return external();
  const binary = await findServer(NATS_SERVER, context);
  return startNatsServer({ ...local(context, 'nats', binary), port: context.ports.nats }, context.resources);
}

async function startTemporal(context: Context): Promise<TemporalServer> {
  const external = externalTemporal(context.env);
  if (external !== undefined) return external;
  const binary = await findServer(TEMPORAL, context);
  const { temporal: port, ui: uiPort } = context.ports;
  return startTemporalServer({ ...local(context, 'temporal', binary), port, uiPort }, context.resources);
}

async function startPythonSide(context: Context): Promise<{ readonly python: string; readonly mlflow: MlflowServer }> {
  const python =
    externalPython(context.env) ?? (await preparePythonEnvironment({ ...context, requirements: REQUIREMENTS }));
  const external = externalMlflow(context.env);
  if (external !== undefined) return { python, mlflow: external };
  const options = { ...local(context, 'mlflow', python), port: context.ports.mlflow };
  return { python, mlflow: await startMlflowServer(options, context.resources) };
}

function local(context: Context, name: string, binary: string): LocalServerOptions {
  return {
    binary,
    folder: join(context.root, name),
    logFile: join(context.logs, `${name}.log`),
    onProgress: context.onProgress,
    signal: context.signal,
  };
}

function once(work: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | undefined;
  return async () => (result ??= work());
}

function printProgress(line: string): void {
  process.stderr.write(`${line}\n`);
}
