/** One control-plane process: starts its roles, says when it is ready, and stops them in order. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildApp } from '../api/app.ts';
import { consumeTelemetry } from '../adapters/nats-telemetry.ts';
import { CENTRE_LANES } from '../adapters/nats-uplink.ts';
import { startWorker } from '../adapters/temporal-worker.ts';
import { consumeUplinkOnThread } from '../adapters/threaded-uplink.ts';
import { serveBlobFetch } from '../adapters/nats-blob-fetch.ts';
import { BundleAccess } from '../assign/bundle-access.ts';
import { type ControlPlaneConfig, withoutSecrets } from '../config/control-plane-config.ts';
import { STREAMS } from '@fleetloop/schemas';
import type { Logger } from 'pino';
import { settlePulls } from '../pull/pull-desk.ts';
import { type Assembly, assemble } from './assemble.ts';
import type { Role } from './control-plane-context.ts';
import { STAGE_ROUTES } from './routes.ts';

/** How often reported ends of pulls are filed, ms. */
const PULLS_INTERVAL_MS = 2_000;

export type ControlPlaneOptions = {
  readonly config: ControlPlaneConfig;
  readonly roles: readonly Role[];
  readonly logger: Logger;
  /** Stops the process when it aborts. */
  readonly signal: AbortSignal;
  /** Called once when all roles run; `url` is undefined without the API role. */
  readonly onReady: (url: string | undefined) => void;
};

/** Runs until `signal` aborts. @throws FleetError when a part cannot be started */
export async function runControlPlane(options: ControlPlaneOptions): Promise<void> {
  const { config, roles, logger, signal } = options;
  logger.info({ config: withoutSecrets(config), roles }, 'control-plane.starting');
  await using resources = new AsyncDisposableStack();
  const assembly = await assemble({ config, roles, logger, signal }, resources);
  if (roles.includes('ingest')) startIngest(assembly, config, resources);
  if (roles.includes('worker')) resources.use(await startWorker(assembly.context));
  const url = roles.includes('api') ? await startApi(assembly, config, resources) : undefined;
  if (roles.includes('api')) startUpkeep(assembly, resources);
  options.onReady(url);
  await aborted(signal);
  logger.info('control-plane.stopping');
}

function startIngest(
  { context, connection, intake, telemetry, samples }: Assembly,
  config: ControlPlaneConfig,
  resources: AsyncDisposableStack,
): void {
  const { logger } = context;
  // Stops with the process, and also when another role cannot be started.
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const { ingestConcurrency: concurrency } = config.limits;
  const { url, jwt, seedFile } = config.nats;
  const uplink = consumeUplinkOnThread(
    {
      nats: { url, jwt, seedFile },
      name: 'control-plane-uplink',
      stream: STREAMS.uplink,
      consumer: 'ingest',
      lanes: CENTRE_LANES,
      concurrency,
      staging: join(config.dataDir, 'staging'),
      intake,
      logger,
    },
    signal,
  );
  const monitoring = consumeTelemetry({ connection, telemetry, samples, logger }, signal);
  resources.defer(async () => {
    stop.abort();
    await Promise.all([uplink, monitoring]);
  });
}

async function startApi(
  { context, connection }: Assembly,
  config: ControlPlaneConfig,
  resources: AsyncDisposableStack,
): Promise<string> {
  const { blobs, vehicles, logger } = context;
  const serving = serveBlobFetch({ connection, blobs, access: new BundleAccess(blobs, vehicles), logger });
  serving.catch((error: unknown) => logger.error({ err: error }, 'install.fetch.stopped'));
  const app = resources.adopt(buildApp(context, STAGE_ROUTES), async (open) => open.close());
  return app.listen({ host: config.api.host, port: config.api.port });
}

/** What follows from facts and may have been cut short by a crash, and what vehicles report in their own time. */
function startUpkeep({ context, enrolments }: Assembly, resources: AsyncDisposableStack): void {
  const { ledger, projection, vehicles, logger } = context;
  const notices = (async () => {
    await projection.waitFor(await ledger.size());
    await enrolments.tellAll(projection);
  })().catch((error: unknown) => logger.warn({ err: error }, 'enrolment.notices.failed'));
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const settling = (async () => {
    while (!signal.aborted) {
      await settlePulls({ ledger, projection, vehicles }).catch((error: unknown) =>
        logger.warn({ err: error }, 'pulls.settle.failed'),
      );
      await delay(PULLS_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  })();
  resources.defer(async () => {
    stop.abort();
    await Promise.all([notices, settling]);
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
