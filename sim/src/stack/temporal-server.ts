/** Why: workflows run on a real Temporal server with a database file, so that they survive a restart of anything. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LOCAL_HOST } from './free-port.ts';
import { isServingGrpc } from './grpc-health.ts';
import type { LocalServerOptions } from './nats-server.ts';
import { ServerProcess, type ServerControl } from './server-process.ts';

const HEALTH_TIMEOUT_MS = 120_000;
const DEFAULT_NAMESPACE = 'default';
const FRONTEND_SERVICE = 'temporal.api.workflowservice.v1.WorkflowService';

export type TemporalServer = ServerControl & {
  /** host:port of the gRPC front end. */
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl: string | undefined;
};

/** Starts a local Temporal server, with its web page when `uiPort` is given, and waits until its front end serves. */
export async function startTemporalServer(
  options: LocalServerOptions & { readonly port: number; readonly uiPort: number | undefined },
  resources: AsyncDisposableStack,
): Promise<TemporalServer> {
  await mkdir(options.folder, { recursive: true });
  const address = `${LOCAL_HOST}:${options.port}`;
  const server = resources.use(
    await ServerProcess.start({
      name: 'temporal',
      command: options.binary,
      args: temporalArguments(join(options.folder, 'temporal.db'), options.port, options.uiPort),
      logFile: options.logFile,
      healthTimeoutMs: HEALTH_TIMEOUT_MS,
      isHealthy: async (signal) => isServingGrpc(address, FRONTEND_SERVICE, signal),
      onProgress: options.onProgress,
      signal: options.signal,
    }),
  );
  return {
    address,
    namespace: DEFAULT_NAMESPACE,
    uiUrl: options.uiPort === undefined ? undefined : `http://${LOCAL_HOST}:${options.uiPort}`,
    pid: server.pid,
    kill: server.kill,
    restart: server.restart,
  };
}

function temporalArguments(databaseFile: string, port: number, uiPort: number | undefined): readonly string[] {
  const page = uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)];
  const own = ['--disable-config-file', '--disable-config-env', '--log-level', 'error', '--color', 'never'];
  return [
    'server',
    'start-dev',
    '--ip',
    LOCAL_HOST,
    '--port',
    String(port),
    '--db-filename',
    databaseFile,
    ...page,
    ...own,
  ];
}
