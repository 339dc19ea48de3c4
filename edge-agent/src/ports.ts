/** What the stages of the agent need from the world and from each other. */
import type {
  Channel,
  DsseEnvelope,
  FleetError,
  RecordingClock,
  ReportedState,
  SourceMessage,
} from '@fleetloop/schemas';
import type { Inference } from '@fleetloop/schemas/wire';
import type { WindowInputs } from '@fleetloop/schemas/features';
import type { FeatureCacheReport } from './features/feature-cache.ts';

/** Diagnostics: one event name per line (`uplink.chunk.stored`), ids as fields. A pino logger fits. */
export interface AgentLogger {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}

/** Wall clock for stamps that leave the vehicle, monotonic clock for waits, and chance for jitter. */
export interface AgentClock {
  /** Wall clock, ms since the Unix epoch. */
  nowMs(): number;
  /** Never goes back, ms. */
  monotonicMs(): number;
  /** Resolves after `durationMs`, or at once when the signal is aborted. */
  wait(durationMs: number, signal?: AbortSignal): Promise<void>;
  /** Uniform in [0, 1). */
  random(): number;
}

export type LinkReply = { readonly payload: Uint8Array; readonly headers: Readonly<Record<string, string>> };

/** The vehicle's one connection to the cloud. It reconnects for ever by itself. */
export interface VehicleLink {
  readonly isConnected: boolean;
  /** Why the server does not let the vehicle in, with UPLINK_EXPIRED or UPLINK_FORBIDDEN; undefined when that is not why. */
  readonly refusal?: FleetError | undefined;
  /**
   * Publishes into a stream and resolves when the server has it on disk.
   * @throws FleetError UPLINK_UNAVAILABLE (try again), UPLINK_BUSY (the stream is full, wait longer), UPLINK_FORBIDDEN
   */
  publish(
    subject: string,
    payload: Uint8Array,
    headers?: Readonly<Record<string, string>>,
    /** Ms. With it, an answer that does not come ends the connection, so that the bytes cannot arrive later a second time. */
    timeoutMs?: number,
  ): Promise<void>;
  /** @throws FleetError UPLINK_UNAVAILABLE */
  request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<LinkReply>;
  /** The listener is called for each message for as long as the link lives, over reconnections. */
  subscribe(subject: string, listener: (payload: Uint8Array) => void): void;
  /** Called at the first connection and after each reconnection. */
  onConnected(listener: () => void): void;
  close(): Promise<void>;
}

/** Signs with the vehicle's own key. */
export interface VehicleSigner {
  /** Public nkey, `U...`. */
  readonly publicKey: string;
  /** Ed25519, 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array;
}

/** Takes bytes of one file in order; each call resolves when the bytes were handed to the system. Short writes are dealt with inside. */
export interface ByteSink {
  /** The buffer may be used again when the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
}

/** An open file. */
export interface DiskFile {
  /** Appends; returns how many bytes were taken, which may be fewer than given. */
  write(bytes: Uint8Array): Promise<number>;
  /** Reads at `position`; returns how many bytes were read, 0 at the end. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** Resolves when all that was written would survive a power cut. */
  sync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * The disk as the agent uses it, small enough to be replaced by one that fails: everything that the agent writes goes through here.
 * Errors are the system's own (`ENOSPC`, `EIO`, `ENOENT` in `error.code`).
 */
export interface Disk {
  /** `create` truncates, `append` creates when there is none, `read` needs the file. */
  open(path: string, mode: 'read' | 'create' | 'append'): Promise<DiskFile>;
  /** Atomic; durable after `syncFolder` of the target's folder. */
  rename(path: string, target: string): Promise<void>;
  /** No error when there is nothing. Durable after `syncFolder`. */
  remove(path: string): Promise<void>;
  /** With parents; each new folder's entry is durable when it resolves. */
  makeFolder(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
  /** Entries in byte order of their names; empty when there is no such folder. */
  list(
    path: string,
  ): Promise<readonly { readonly name: string; readonly sizeBytes: number; readonly isFolder: boolean }[]>;
  sizeOf(path: string): Promise<number | undefined>;
  /** Bytes that the file system below `path` still takes from this process. */
  freeBytes(path: string): Promise<number>;
}

/** Messages of any topic may be missing in it. Times are ns on the session's clock. */
export type DriveDropout = { readonly fromNs: bigint; readonly toNs: bigint };

/** One drive that the world hands to the vehicle. */
export type Drive = {
  /** Name of the drive session. */
  readonly session: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Known at the start; a live drive may show more as it goes. */
  readonly channels: readonly Channel[];
  /** A file can be read again from its start after a stop; a live drive cannot, so what it has opened must survive. */
  readonly isReplayable: boolean;
  /** Times real time; 0 is as fast as possible. */
  readonly speed: number;
  readonly batches: (signal?: AbortSignal) => AsyncIterable<readonly SourceMessage[]>;
  /** What a recording of [startNs, endNs] says of the clocks, where the drive knows more than its stamps show. */
  readonly clockBetween?: (startNs: bigint, endNs: bigint) => Partial<RecordingClock>;
  /** Times in [startNs, endNs] in which whoever recorded the drive could not keep up. */
  readonly dropoutsBetween?: (startNs: bigint, endNs: bigint) => readonly DriveDropout[];
  /** Session time now, ns; for a live drive, in which time passes without messages. */
  readonly nowNs?: () => bigint;
};

/** What the vehicle drives, one after the other, with a cursor that survives a restart. */
export interface DriveSource {
  /** Waits for the next drive; undefined at the end of the playlist or when aborted. @throws FleetError SOURCE_*, MAPPING_* for a drive that cannot be opened */
  next(signal: AbortSignal): Promise<Drive | undefined>;
  /** The drive that `next` gave, or failed to open, is finished: it never comes again. On disk when it resolves. */
  finished(): Promise<void>;
  /** Drives finished so far, over restarts. */
  readonly finishedCount: number;
  /** Whether the playlist has ended. */
  readonly isAtEnd: boolean;
}

/** Fetches a blob of a bundle by digest from the cloud. Resumable inside; bytes are checked against the digest. */
export interface BlobFetcher {
  /** @throws FleetError INSTALL_FETCH (retryable), PACKAGE_DIGEST */
  fetch(digest: string, sizeBytesMax: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** One result of the inference core, active or shadow. */
export type InferenceResult = {
  readonly inference: Inference;
  /** Digest of the bundle manifest that produced it. */
  readonly bundle: string;
  readonly model: string;
  readonly variant: string;
  readonly directorCounter: number;
  /** What its vector was computed from, where its window was chosen to be sampled. */
  readonly sampled?: {
    readonly featureSet: string;
    /** Of the signals that the feature set reads. */
    readonly paths: readonly string[];
    readonly inputs: () => WindowInputs;
  };
};

/** Installs what the director names and infers over captured messages. Implemented in install/ and infer/. */
export interface ModelRuntime {
  /** Starts or continues the installation that the director's targets ask for; never throws for bad input: refusals are reported. */
  applyDirector(envelope: DsseEnvelope | null, signal?: AbortSignal): Promise<void>;
  /**
   * Feeds one captured message in log-time order; returns the inferences of the windows that it closed. A promise only where
   * there is something to infer: every message passes here.
   */
  push(message: SourceMessage, session: string): readonly InferenceResult[] | Promise<readonly InferenceResult[]>;
  /** Ends a session: incomplete windows are dropped, state of the streaming features is cleared. */
  endSession(): Promise<readonly InferenceResult[]>;
  report(): ReportedState['model'];
  readonly deadlineMisses: number;
  /** The feature caches of the models at work, that of the active one first. */
  features(): readonly FeatureCacheReport[];
  /** Called when report() has changed. */
  onChange(listener: () => void): void;
  close(): Promise<void>;
}

/** What the model runtime is made of; `createModelRuntime(options)` in infer/model-runtime.ts takes it. */
export type ModelRuntimeOptions = {
  readonly vehicleId: string;
  readonly hardwareRevision: string;
  /** Folder for slots and state, absolute; the runtime makes its own folders below it. */
  readonly stateDir: string;
  /** Public keys (SPKI PEM) of director documents and of bundle manifests. */
  readonly keys: { readonly director: readonly string[]; readonly image: readonly string[] };
  readonly fetcher: BlobFetcher;
  readonly logger: AgentLogger;
  /** One window in so many comes with what it was computed from; none without it. */
  readonly sampleEvery?: number;
};
