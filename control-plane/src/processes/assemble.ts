/** Puts the adapters behind the ports and starts the roles of one control-plane process; closes all of it in reverse order. */
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { NatsConnection } from '@nats-io/transport-node';
import { BUNDLE_PAYLOAD_TYPE, type JsonValue } from '@fleetloop/schemas';
import { signDocument } from '@fleetloop/schemas/crypto';
import type { Logger } from 'pino';
import { DuckdbProjection } from '../adapters/duckdb-projection.ts';
import { FolderBlobs } from '../adapters/folder-blobs.ts';
import { FolderCheckpoints } from '../adapters/folder-checkpoints.ts';
import { FolderQuarantine } from '../adapters/folder-quarantine.ts';
import { FolderAssemblies, FolderStaging } from '../adapters/folder-staging.ts';
import { loadKeys } from '../adapters/key-folder.ts';
import { KvEnrolments } from '../adapters/kv-enrolments.ts';
import { KvVehicleStates } from '../adapters/kv-vehicle-states.ts';
import { NatsAccount } from '../adapters/nats-account.ts';
import { connectNats, readSeed } from '../adapters/nats-connection.ts';
import { NatsLedger } from '../adapters/nats-ledger.ts';
import { NatsQuestions } from '../adapters/nats-questions.ts';
import { ensureStreams } from '../adapters/nats-streams.ts';
import { ParquetInferences } from '../adapters/parquet-inferences.ts';
import { ThreadedAssembler } from '../adapters/recording-assembler.ts';
import type { ControlPlaneConfig } from '../config/control-plane-config.ts';
import { createFeatureBatch } from '../features/feature-batch.ts';
import { RecordingImport } from '../import/recording-import.ts';
import { AcceptedRecordings } from '../ingest/accepted-recordings.ts';
import { Refusals } from '../ingest/refusal.ts';
import { FinishedChunks } from '../ingest/finished-chunks.ts';
import { UploadIntake } from '../ingest/upload-intake.ts';
import { inLedger, RememberingRegistry } from '../ingest/vehicle-registry.ts';
import { LEDGER_ORIGIN } from '../ledger/checkpoint.ts';
import { Checkpointer } from '../ledger/checkpointer.ts';
import { FleetTelemetry } from '../monitoring/fleet-telemetry.ts';
import type { BlobStore, Ledger } from '../ports.ts';
import type { ControlPlane, Role } from './control-plane-context.ts';

const MS_PER_HOUR = 3_600_000;

/** A context together with the parts that only the composition root touches. */
export type Assembly = {
  readonly context: ControlPlane;
  readonly connection: NatsConnection;
  readonly intake: UploadIntake;
  readonly telemetry: FleetTelemetry;
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
  const derived = (name: string): string => folder(roles.includes('project') ? name : `${name}-${roles.join('-')}`);
  const keys = await loadKeys(folder('keys'));
  const accountSeed = await readSeed(config.nats.accountSeedFile);
  const connection = resources.adopt(await connectNats(config.nats), async (open) => open.close());
  await ensureStreams(connection, config.limits);
  const ledger = await NatsLedger.open(connection, { now: () => new Date() });
  const blobs = await FolderBlobs.open(folder('blobs'));
  const projection = resources.use(await DuckdbProjection.open({ folder: derived('projection'), ledger }));
  const checkpoints = await startCheckpoints(
    { folder: derived('checkpoints'), ledger, logger, key: keys.checkpoint },
    resources,
  );
  const telemetry = await FleetTelemetry.open(
    await ParquetInferences.open(folder('telemetry')),
    config.limits.recentInferencesPerVehicle,
  );
  const { intake, imports, registry } = await openIngest({ config, ledger, blobs }, resources);
  const features = resources.adopt(await createFeatureBatch(blobs), (batch) => batch.close());
  const enrolments = await KvEnrolments.open(connection);
  const context: ControlPlane = {
    config,
    ledger,
    checkpoints,
    blobs,
    projection,
    telemetry,
    heartbeats: telemetry,
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
  return { context, connection, intake, telemetry, enrolments };
}

async function startCheckpoints(
  options: {
    readonly folder: string;
    readonly ledger: Ledger;
    readonly logger: Logger;
    readonly key: ControlPlane['keys']['checkpoint'];
  },
  resources: AsyncDisposableStack,
): Promise<Checkpointer> {
  const { privateKeyPem, publicKeyPem } = options.key;
  const store = resources.use(await FolderCheckpoints.open(options.folder));
  return resources.use(
    await Checkpointer.start({
      ledger: options.ledger,
      store,
      signer: { name: LEDGER_ORIGIN, privateKeyPem, publicKeyPem },
      onFailure: (error) => options.logger.fatal({ err: error }, 'ledger.tampered'),
    }),
  );
}

async function openIngest(
  parts: {
    readonly config: ControlPlaneConfig;
    readonly ledger: Ledger;
    readonly blobs: BlobStore;
  },
  resources: AsyncDisposableStack,
): Promise<{
  readonly intake: UploadIntake;
  readonly imports: RecordingImport;
  readonly registry: RememberingRegistry;
}> {
  const { config, ledger, blobs } = parts;
  const { recordingBytesMax, quarantineBytesMax } = config.limits;
  const folder = (name: string): string => join(config.dataDir, name);
  const registry = new RememberingRegistry(inLedger(ledger), () => performance.now());
  const refusals = new Refusals(await FolderQuarantine.open(folder('quarantine'), quarantineBytesMax), ledger);
  const shared = {
    ledger,
    blobs,
    refusals,
    recordingBytesMax,
    assemblies: await FolderAssemblies.open(folder('assembly')),
    accepted: await AcceptedRecordings.load(ledger),
  };
  const staging = await FolderStaging.open(
    folder('staging'),
    Date.now() - config.limits.stagedAgeHoursMax * MS_PER_HOUR,
  );
  // A thread of its own, started when it is needed: a safety event is a few chunks, a bulk recording may take seconds.
  const safety = resources.use(new ThreadedAssembler(folder('staging')));
  const others = resources.use(new ThreadedAssembler(folder('staging')));
  return {
    intake: new UploadIntake({
      ...shared,
      staging,
      assemblerOf: (priority) => (priority === 'safety' ? safety : others),
      registry,
      finished: await FinishedChunks.load(shared.accepted, blobs, recordingBytesMax),
    }),
    imports: new RecordingImport(shared),
    registry,
  };
}

/** Connects at the first call, so that ingest runs while Temporal is down. */
function openTemporal(config: ControlPlaneConfig['temporal'], resources: AsyncDisposableStack): Client {
  const connection = resources.adopt(Connection.lazy({ address: config.address }), async (open) => open.close());
  return new Client({ connection, namespace: config.namespace });
}
