/** What the stages of the control plane need from the world: each port is two to six methods, implemented in adapters/ or by the stage that owns it. */
import type { Readable } from 'node:stream';
import type {
  DesiredState,
  DsseEnvelope,
  BundleManifest,
  Digest,
  FactKind,
  FeatureSet,
  LedgerEntry,
  NewFact,
  PullRequest,
  ReportedState,
} from '@fleetloop/schemas';

/** One stored entry: its 1-based stream sequence (leaf index + 1), its exact bytes and its parsed form. */
export type StoredEntry = {
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly entry: LedgerEntry;
  /** The JSON text of its body as it lies in the bytes, where that is how it reads. */
  readonly bodyText?: string | undefined;
};

/** An entry that nobody has looked into yet. `checkedEntry` does. */
export type UncheckedEntry = { readonly sequence: number; readonly subject: string; readonly bytes: Uint8Array };

export type ReadRange = {
  /** 1-based. */
  readonly fromSequence: number;
  /** Default: the end as of now. */
  readonly toSequence?: number;
  readonly signal?: AbortSignal;
};

/** The append-only system of record. */
export interface Ledger {
  /**
   * Appends all facts or none. `expect` maps a ledger subject (`recording.<key>`) to the last sequence the writer has seen of it (0: none yet).
   * @throws FleetError LEDGER_CONFLICT, LEDGER_UNAVAILABLE, LEDGER_ENTRY_INVALID
   */
  append(
    facts: readonly NewFact[],
    options?: { readonly expect?: Readonly<Record<string, number>> },
  ): Promise<{ readonly sequences: readonly number[] }>;
  /** Last sequence of one subject, 0 when it has none. */
  lastSequenceOf(subject: string): Promise<number>;
  /** Number of entries. */
  size(): Promise<number>;
  /** Entries from `fromSequence` (1-based) to `toSequence` (default: the end as of now), in order. */
  read(options: ReadRange): AsyncIterable<StoredEntry>;
  /** Entries from `fromSequence` on for ever, as they are appended. */
  follow(options: { readonly fromSequence: number; readonly signal: AbortSignal }): AsyncIterable<StoredEntry>;
}

/** A ledger for whoever looks into its entries on a thread of his own. */
export interface UncheckedLedger extends Ledger {
  /** As `read`, but nobody has looked into the entries. */
  readUnchecked(options: ReadRange): AsyncIterable<UncheckedEntry>;
}

/** Content-addressed bytes. */
export interface BlobStore {
  /** Stores bytes durably (fsync, rename) and returns their digest; storing the same bytes again is free. */
  put(bytes: Uint8Array): Promise<Digest>;
  /**
   * Moves a finished file into the store after checking its digest. `isChecked` says that the caller hashed these very bytes while
   * it wrote and flushed the file, so that they need not be read once more. @throws FleetError BLOB_DIGEST
   */
  adopt(path: string, digest: Digest, options?: { readonly isChecked?: boolean }): Promise<void>;
  has(digest: Digest): Promise<boolean>;
  /** @throws FleetError BLOB_NOT_FOUND, BLOB_DIGEST (bytes are checked on the way) */
  get(digest: Digest): Promise<Uint8Array>;
  /** @throws FleetError BLOB_NOT_FOUND */
  open(digest: Digest): Promise<Readable>;
  sizeOf(digest: Digest): Promise<number>;
  /** A readable local file with these bytes, for tools that want a path (DuckDB, trainers). @throws FleetError BLOB_NOT_FOUND */
  pathOf(digest: Digest): Promise<string>;
}

export type Row = Readonly<Record<string, unknown>>;

/** DuckDB tables derived from the ledger and nothing else. */
export interface Projection {
  /** Waits until the projection has applied `sequence`, so that a writer reads its own write. */
  waitFor(sequence: number, signal?: AbortSignal): Promise<void>;
  /** Read-only SQL with named parameters ($name); bigint columns come as bigint or number as DuckDB's getRowObjectsJS gives them. */
  query(sql: string, parameters?: Readonly<Record<string, string | number | boolean | null>>): Promise<readonly Row[]>;
  /** Latest entry of a kind per key (`every: true`: all of them), as of a sequence: `facts('dataset.frozen', {key})`. Newest last. */
  facts<Kind extends FactKind>(
    kind: Kind,
    options?: { readonly key?: string; readonly asOfSequence?: number; readonly every?: boolean },
  ): Promise<readonly StoredFact<Kind>[]>;
  /** Last ledger sequence that answers rest on. */
  appliedSequence(): number;
  /** Replays the whole ledger into a second file beside the serving one, compares both table by table, and serves the new one. */
  rebuild(signal?: AbortSignal): Promise<RebuildReport>;
}

/** One table before and after a rebuild at the same sequence; digests are over all rows. */
export type TableComparison = {
  readonly table: string;
  readonly rowsBefore: number;
  readonly rowsAfter: number;
  readonly digestBefore: string;
  readonly digestAfter: string;
};
export type RebuildReport = {
  readonly sequence: number;
  readonly seconds: number;
  readonly same: boolean;
  readonly tables: readonly TableComparison[];
};

/** Signed statements about the ledger's size and root, and the proofs that go with them. Hashes are 32 bytes. */
export interface Checkpoints {
  /** The newest signed checkpoint (a C2SP signed note); one is signed if none is. @throws FleetError LEDGER_TAMPERED, LEDGER_UNAVAILABLE */
  latest(): Promise<string>;
  /** Signs the ledger as it stands now. @throws FleetError LEDGER_TAMPERED, LEDGER_UNAVAILABLE */
  signNow(): Promise<string>;
  /** All stored checkpoints, oldest first, at most `limit` (the newest). */
  history(limit: number): Promise<readonly string[]>;
  /** The public key in force, in the text form of Go's sumdb/note; a rotation changes it. */
  readonly verifierKey: string;
  /** Leaf hashes [from, to), 0-based. */
  leaves(from: number, to: number): AsyncIterable<Uint8Array>;
  /** Audit path of the 0-based leaf in the tree of `size`. @throws FleetError REQUEST_INVALID */
  inclusion(index: number, size: number): Promise<readonly Uint8Array[]>;
  /** @throws FleetError REQUEST_INVALID */
  consistency(formerSize: number, size: number): Promise<readonly Uint8Array[]>;
}

/** A key that signs checkpoints; `name` is the ledger's origin. */
export type CheckpointSigner = {
  readonly name: string;
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
};

/** The keys that have signed checkpoints and the one that does. */
export interface CheckpointKeys {
  /** The signer of a verifier key; undefined when its private key is not here. */
  find(verifierKey: string): Promise<CheckpointSigner | undefined>;
  /** Makes and stores a key. It signs nothing until a fact announces it. */
  make(): Promise<CheckpointSigner>;
}

/** Where leaf hashes and checkpoints lie; the file of leaves is an index that the ledger can refill. */
export interface CheckpointStore {
  leafCount(): number;
  /** Appends leaf hashes durably. */
  appendLeaves(leaves: readonly Uint8Array[]): Promise<void>;
  leaves(from: number, to: number): AsyncIterable<Uint8Array>;
  save(size: number, note: string): Promise<void>;
  /** Stored notes, oldest first, at most `limit` (the newest). */
  notes(limit: number): Promise<readonly string[]>;
}

export type StoredFact<Kind extends FactKind> = { readonly sequence: number } & Extract<
  LedgerEntry,
  { readonly kind: Kind }
>;

/** One inference as the vehicle reported it. */
export type InferenceWindow = {
  readonly vehicleId: string;
  readonly hardwareRevision: string;
  readonly bundle: string;
  readonly variant: string;
  readonly directorCounter: number;
  readonly role: 'active' | 'shadow';
  readonly sequence: number;
  readonly session: string;
  readonly windowStartNs: bigint;
  readonly windowEndNs: bigint;
  readonly output: string;
  readonly confidence: number;
  readonly distance: number;
  readonly latencyUs: number;
  /** The deadline was missed or the inference failed: `output` repeats the last valid one. */
  readonly fallback: boolean;
  readonly features: readonly number[];
  /** Wall clock of the control plane, ms. */
  readonly receivedAtMs: number;
};

/** Which kept inferences are asked for. */
export type InferenceHistoryFilter = {
  readonly bundles: readonly string[];
  readonly vehicles?: readonly string[];
  readonly sinceMs?: number;
  readonly limit: number;
};

/** Inference telemetry: a bounded recent window in memory for health, everything in Parquet partitions. */
export interface TelemetryStore {
  /** Inferences received since `sinceMs` that match; bounded by `limit` (newest kept). */
  inferences(filter: {
    readonly bundle?: string;
    readonly vehicles?: readonly string[];
    readonly role?: 'active' | 'shadow';
    readonly sinceMs?: number;
    readonly untilMs?: number;
    readonly limit?: number;
  }): Promise<readonly InferenceWindow[]>;
  /** All that are kept of these bundles, on disk and in memory, oldest first; the newest `limit` of them. */
  history(filter: InferenceHistoryFilter): Promise<readonly InferenceWindow[]>;
  /** One inference by vehicle and sequence, undefined if unknown. */
  inference(vehicleId: string, sequence: number): Promise<InferenceWindow | undefined>;
  deadlineMisses(vehicleId: string): Promise<number>;
}

/** One vector with its inputs as a vehicle sent them, and what it is found by. */
export type StoredSample = {
  readonly vehicleId: string;
  readonly session: string;
  /** Digest. */
  readonly featureSet: string;
  readonly windowStartNs: bigint;
  readonly windowEndNs: bigint;
  /** Wall clock of the control plane, ms. */
  readonly receivedAtMs: number;
  /** A FeatureSample message. */
  readonly bytes: Uint8Array;
};

export type SampledVectorFilter = {
  readonly featureSet: string;
  /** None: all. */
  readonly vehicles: readonly string[];
  readonly sinceMs: number | null;
  /** The newest ones, up to so many and so many bytes. */
  readonly countMax: number;
  readonly bytesMax: number;
};

/** Feature vectors that vehicles sent with their inputs, each once, however often it was sent. */
export interface SampledVectors {
  /** In order of vehicle, session and time. */
  select(filter: SampledVectorFilter): Promise<readonly StoredSample[]>;
}

/** Writes desired states and reads reported ones. */
export interface VehicleStates {
  /** Signs new director targets with the next counter and publishes the vehicle's desired state. Returns the counter. */
  assign(targets: {
    readonly vehicleId: string;
    readonly bundle: Digest | null;
    readonly shadow: Digest | null;
    readonly rolloutId: string | null;
    readonly reason: string;
  }): Promise<number>;
  /** Adds or replaces a campaign in the desired state of each vehicle. */
  pushCampaign(vehicles: readonly string[], campaign: unknown): Promise<void>;
  /** Takes a campaign out of the desired state of each vehicle; what it has captured stays. */
  withdrawCampaign(vehicles: readonly string[], campaignId: string): Promise<void>;
  /** Asks a vehicle for a stored time range. @throws FleetError PULL_INVALID when it has no room for another one */
  addPull(vehicleId: string, pull: PullRequest): Promise<void>;
  /** Takes a pull off the vehicle's list; one that is not there changes nothing. */
  removePull(vehicleId: string, pullId: string): Promise<void>;
  reported(vehicleId: string): Promise<ReportedState | undefined>;
  /** What was last asked of the vehicle. */
  desired(vehicleId: string): Promise<DesiredState | undefined>;
}

/** One complete window of one recording, [windowStartNs, windowEndNs) on its session's clock; values in the feature set's order, NaN where one that may be missing is. */
export type FeatureRow = {
  readonly windowStartNs: bigint;
  readonly windowEndNs: bigint;
  readonly values: readonly number[];
};

/** How a batch of features may be ended early, and who is told what it left out. */
export type BatchOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Told once for each recording with samples that came after all their windows had closed; these are in no row. */
  readonly onLateSamples?: ((recording: Digest, lateSamples: number) => void) | undefined;
};

/** Batch side of the feature layer. */
export interface FeatureBatch {
  /** Computes one row per complete window of one recording by SQL; rows in window order. @throws FleetError FEATURE_INPUT_MISSING, FEATURE_SET_INVALID */
  compute(recording: Digest, featureSet: FeatureSet, options?: BatchOptions): Promise<readonly FeatureRow[]>;
  /** Computes many recordings in few queries; one entry per recording, in the order given. @throws FleetError as `compute`, naming the recording */
  computeMany(
    recordings: readonly Digest[],
    featureSet: FeatureSet,
    options?: BatchOptions,
  ): Promise<ReadonlyMap<Digest, readonly FeatureRow[]>>;
}

/** Signs and stores bundles. */
export interface BundleSigner {
  sign(manifest: BundleManifest): DsseEnvelope;
}
