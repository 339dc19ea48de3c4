/** Serves the metrics in Prometheus' text format on a local port. Off unless it is configured; nothing else answers there. */
import { createServer, type ServerResponse } from 'node:http';
import { FleetError } from '@fleetloop/schemas';
import { Counter, Gauge, Registry } from 'prom-client';
import type { Metric } from '../health/metrics.ts';
import type { AgentLogger } from '../ports.ts';

export type MetricsServerOptions = {
  readonly host: string;
  readonly port: number;
  readonly metrics: () => readonly Metric[];
  readonly logger: AgentLogger;
};
export type MetricsServer = AsyncDisposable & { readonly port: number };

const REQUEST_TIMEOUT_MS = 5_000;
const CONNECTIONS_MAX = 4;

/** @throws FleetError CONFIG_INVALID when the port is taken */
export async function openMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port } = options;
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') response.writeHead(404).end('only GET /metrics\n');
    else void respond(response, options);
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new FleetError('CONFIG_INVALID', `metrics cannot be served on ${host}:${port}: ${cause.message}`, { cause }),
      ),
    );
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A scrape that fails is the scraper's to see; the agent goes on. */
async function respond(response: ServerResponse, { metrics, logger }: MetricsServerOptions): Promise<void> {
  try {
    const registry = new Registry();
    for (const metric of metrics()) register(registry, metric);
    response.writeHead(200, { 'Content-Type': registry.contentType }).end(await registry.metrics());
  } catch (error) {
    const { message } = FleetError.from(error);
    logger.error({ reason: message }, 'health.metrics.failed');
    response.writeHead(500).end(`${message}\n`);
  }
}

function register(registry: Registry, { name, help, type, labels: labelNames, values }: Metric): void {
  const made = new (type === 'counter' ? Counter : Gauge)({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
  });
  for (const { labels, value } of values) made.inc(labels, value);
}
