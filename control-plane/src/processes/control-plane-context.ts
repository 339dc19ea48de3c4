/** The parts of one control-plane process as its stages see them: ports, not adapters. */
import type { SigningKey } from '@fleetloop/schemas/crypto';
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import type { ControlPlaneConfig } from '../config/control-plane-config.ts';
import type {
  BlobStore,
  BundleSigner,
  CheckpointKeys,
  Checkpoints,
  FeatureBatch,
  Ledger,
  Projection,
  SampledVectors,
  TelemetryStore,
  VehicleStates,
} from '../ports.ts';
import type { Ingest, VehicleRegistry } from '../ingest/ports.ts';
import type { EnrolmentNotices, FleetAccount } from '../enrolment/ports.ts';
import type { Heartbeats, VehicleQuestions } from '../monitoring/ports.ts';
import type { GraphAsOf } from '../trace/lineage-graph.ts';

export const ROLES = ['api', 'ingest', 'project', 'worker'] as const;
export type Role = (typeof ROLES)[number];

/** Ed25519 keys of the control plane, made at the first start in dataDir/keys. */
export type ControlPlaneKeys = {
  /** Signs ledger checkpoints. */
  readonly checkpoint: SigningKey;
  /** Signs director targets. */
  readonly director: SigningKey;
  /** Signs bundles. */
  readonly image: SigningKey;
};

export type ControlPlane = {
  readonly config: ControlPlaneConfig;
  readonly ledger: Ledger;
  readonly checkpoints: Checkpoints;
  readonly checkpointKeys: CheckpointKeys;
  readonly blobs: BlobStore;
  readonly projection: Projection;
  readonly graphAsOf: GraphAsOf;
  readonly telemetry: TelemetryStore;
  readonly sampledVectors: SampledVectors;
  readonly heartbeats: Heartbeats;
  readonly vehicles: VehicleStates;
  readonly features: FeatureBatch;
  readonly signer: BundleSigner;
  readonly ingest: Ingest;
  readonly registry: VehicleRegistry;
  readonly enrolments: EnrolmentNotices;
  readonly account: FleetAccount;
  readonly questions: VehicleQuestions;
  /** Seed of the NATS account: signs the JWTs of vehicles. */
  readonly accountSeed: string;
  /** Connects at its first call. */
  readonly temporal: Client;
  readonly keys: ControlPlaneKeys;
  readonly logger: Logger;
  /** Aborts when the process is to stop. */
  readonly signal: AbortSignal;
};
