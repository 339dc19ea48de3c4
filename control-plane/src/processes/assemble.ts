/** Puts the adapters behind the ports and starts the roles of one control-plane process; closes all of it in reverse order. */
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { NatsConnection } from '@nats-io/transport-node';
import { BUNDLE_PAYLOAD_TYPE, type JsonValue } from '@fleetloop/schemas';
import { signDocument } from '@fleetloop/schemas/crypto';
import type { Logger } from 'pino';
import { DuckdbProjection } from '../adapters/duckdb-projection.ts';
import { FolderBlobs } from '../adapters/folder-blobs.ts';
import { FolderCheckpointKeys } from '../adapters/folder-checkpoint-keys.ts';
import { FolderCheckpoints } from '../adapters/folder-checkpoints.ts';
import { loadKeys } from '../adapters/key-folder.ts';
import { KvEnrolments } from '../adapters/kv-enrolments.ts';
import { KvVehicleStates } from '../adapters/kv-vehicle-states.ts';
import { NatsAccount } from '../adapters/nats-account.ts';
import { connectNats, readSeed } from '../adapters/nats-connection.ts';
import { NatsLedger } from '../adapters/nats-ledger.ts';
import { NatsQuestions } from '../adapters/nats-questions.ts';
import { ensureStreams } from '../adapters/nats-streams.ts';
import { ParquetInferences } from '../adapters/parquet-inferences.ts';
import { ParquetSamples } from '../adapters/parquet-samples.ts';
import type { ControlPlaneConfig } from '../config/control-plane-config.ts';
import { createFeatureBatch } from '../features/feature-batch.ts';
import type { UploadIntake } from '../ingest/upload-intake.ts';
import { LEDGER_ORIGIN } from '../ledger/checkpoint.ts';
import { Checkpointer } from '../ledger/checkpointer.ts';
import { FleetTelemetry } from '../monitoring/fleet-telemetry.ts';
import { TelemetrySamples } from '../monitoring/sampled-vectors.ts';
import type { GraphAsOf } from '../trace/lineage-graph.ts';
import { LineageFollower } from '../trace/lineage-follower.ts';
import { ProjectionGraph } from '../trace/projection-graph.ts';
import type { CheckpointKeys, CheckpointSigner, Ledger } from '../ports.ts';
import type { ControlPlane, Role } from './control-plane-context.ts';
import { openIngest } from './open-ingest.ts';

/** A context together with the parts that only the composition root touches. */
export type Assembly = {
  readonly context: ControlPlane;
  readonly connection: NatsConnection;
  readonly intake: UploadIntake;
  readonly telemetry: FleetTelemetry;
  readonly samples: TelemetrySamples;
  readonly enrolments: KvEnrolments;
};

export type AssembleOptions = {
  readonly config: ControlPlaneConfig;
  readonly roles: readonly Role[];
  readonly logger: Logger;
  readonly signal: AbortSignal;
};

/** Opens everything that the roles share. `resources` closes it in reverse order. */
export async function assemble(options: AssembleOptions, resources: AsyncDisposableStack): Promise<Assembly> {
  const { config, roles, logger, signal } = options;
  const folder = (name: string): string => join(config.dataDir, name);
  // DuckDB lets one process write a file: a process without the role `project` keeps a projection and leaves of its own.
  const own = [...roles, ...(config.instance === undefined ? [] : [config.instance])].join('-');
  const derived = (name: string): string => folder(roles.includes('project') ? name : `${name}-${own}`);
  const keys = await loadKeys(folder('keys'));
  const accountSeed = await readSeed(config.nats.accountSeedFile);
  const connection = resources.adopt(await connectNats(config.nats), async (open) => open.close());
  await ensureStreams(connection, config.limits);
  const ledger = await NatsLedger.open(connection, { now: () => new Date() });
  const blobs = await FolderBlobs.open(folder('blobs'), own);
  const projection = resources.use(await DuckdbProjection.open({ folder: derived('projection'), ledger }));
  const checkpointSigner = { name: LEDGER_ORIGIN, ...keys.checkpoint };
  const checkpointKeys = await FolderCheckpointKeys.open(folder('keys/checkpoint'), checkpointSigner);
  const checkpoints = await startCheckpoints(
    {
      folder: derived('checkpoints'),
      ledger,
      logger,
      signer: checkpointSigner,
      keys: checkpointKeys,
      interval: config.ledger,
    },
    resources,
  );
  const telemetry = await FleetTelemetry.open(
    await ParquetInferences.open(folder('telemetry'), config.limits.inferenceBytesMax),
    config.limits.recentInferencesPerVehicle,
  );
  const samples = new TelemetrySamples(
    await ParquetSamples.open(folder('feature-samples'), config.limits.featureSampleBytesMax),
  );
  const { intake, imports, registry } = await openIngest({ config, ledger, blobs, logger }, resources);
  const features = resources.adopt(await createFeatureBatch(blobs), (batch) => batch.close());
  const enrolments = await KvEnrolments.open(connection);
  const context: ControlPlane = {
    config,
    ledger,
    checkpoints,
    checkpointKeys,
    blobs,
    projection,
    graphAsOf: followLineage({ projection, logger, roles }, resources),
    telemetry,
    heartbeats: telemetry,
    sampledVectors: samples,
    vehicles: await KvVehicleStates.open(connection, keys.director),
    features,
    signer: { sign: (manifest) => signDocument(BUNDLE_PAYLOAD_TYPE, manifest as JsonValue, keys.image) },
    ingest: imports,
    registry,
    enrolments,
    account: new NatsAccount(config.nats),
    questions: new NatsQuestions(connection),
    accountSeed,
    temporal: openTemporal(config.temporal, resources),
    keys,
    logger,
    signal,
  };
  return { context, connection, intake, telemetry, samples, enrolments };
}

/** Only the API is asked for lineage often enough to be worth the memory of the index. */
function followLineage(
  options: { readonly projection: DuckdbProjection; readonly logger: Logger; readonly roles: readonly Role[] },
  resources: AsyncDisposableStack,
): GraphAsOf {
  const { projection, logger, roles } = options;
  if (!roles.includes('api')) return async (sequence) => new ProjectionGraph(projection, sequence);
  const onFailure = (error: unknown): void => logger.warn({ err: error }, 'lineage.index.dropped');
  return resources.use(LineageFollower.start({ source: projection, onFailure })).graphAsOf;
}

async function startCheckpoints(
  options: {
    readonly folder: string;
    readonly ledger: Ledger;
    readonly logger: Logger;
    readonly signer: CheckpointSigner;
    readonly keys: CheckpointKeys;
    readonly interval: ControlPlane['config']['ledger'];
  },
  resources: AsyncDisposableStack,
): Promise<Checkpointer> {
  const { ledger, signer, keys, interval } = options;
  const store = resources.use(await FolderCheckpoints.open(options.folder));
  return resources.use(
    await Checkpointer.start({
      ledger,
      store,
      signer,
      keys,
      entriesMax: interval.checkpointEntriesMax,
      intervalMs: interval.checkpointIntervalMs,
      onFailure: (error) => options.logger.fatal({ err: error }, 'ledger.tampered'),
    }),
  );
}

/** Connects at the first call, so that ingest runs while Temporal is down. */
function openTemporal(config: ControlPlaneConfig['temporal'], resources: AsyncDisposableStack): Client {
  const connection = resources.adopt(Connection.lazy({ address: config.address }), async (open) => open.close());
  return new Client({ connection, namespace: config.namespace });
}
