/** Why: what trainings did is logged to a real MLflow server, with one worker because it is the largest of the servers. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LOCAL_HOST } from './free-port.ts';
import type { LocalServerOptions } from './nats-server.ts';
import { ServerProcess, type ServerControl } from './server-process.ts';

/** It imports much and migrates its database at the first start; two other servers start beside it. */
const HEALTH_TIMEOUT_MS = 300_000;

/** No usage reports leave the machine, and no job runners are started that nothing here uses. */
const MLFLOW_ENVIRONMENT = {
  MLFLOW_DISABLE_TELEMETRY: 'true',
  DO_NOT_TRACK: 'true',
  MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
  GIT_PYTHON_REFRESH: 'quiet',
};

export type MlflowServer = ServerControl & { readonly url: string };

/** Starts a local MLflow server (`binary` is the Python interpreter that has it) and waits until it is healthy. */
export async function startMlflowServer(
  options: LocalServerOptions & { readonly port: number },
  resources: AsyncDisposableStack,
): Promise<MlflowServer> {
  const artifacts = join(options.folder, 'artifacts');
  await mkdir(artifacts, { recursive: true });
  const url = `http://${LOCAL_HOST}:${options.port}`;
  const server = resources.use(
    await ServerProcess.start({
      name: 'mlflow',
      command: options.binary,
      args: mlflowArguments(join(options.folder, 'mlflow.db'), artifacts, options.port),
      folder: options.folder,
      env: MLFLOW_ENVIRONMENT,
      logFile: options.logFile,
      healthTimeoutMs: HEALTH_TIMEOUT_MS,
      isHealthy: async (signal) => (await fetch(`${url}/health`, { signal })).ok,
      onProgress: options.onProgress,
      signal: options.signal,
    }),
  );
  return { url, pid: server.pid, kill: server.kill, restart: server.restart };
}

function mlflowArguments(databaseFile: string, artifacts: string, port: number): readonly string[] {
  const store = ['--backend-store-uri', `sqlite:///${databaseFile}`, '--artifacts-destination', artifacts];
  return ['-m', 'mlflow', 'server', '--host', LOCAL_HOST, '--port', String(port), '--workers', '1', ...store];
}
