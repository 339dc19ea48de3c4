/** What the stages of the agent need from the world and from each other. */
import type { Channel, DsseEnvelope, RecordingMetadata, ReportedState, SourceMessage } from '@fleetloop/schemas';
import type { Inference } from '@fleetloop/schemas/wire';

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
  /**
   * Publishes into a stream and resolves when the server has it on disk.
   * @throws FleetError UPLINK_UNAVAILABLE (try again), UPLINK_BUSY (the stream is full, wait longer), UPLINK_FORBIDDEN
   */
  publish(subject: string, payload: Uint8Array, headers?: Readonly<Record<string, string>>): Promise<void>;
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

export type WrittenRecording = { readonly sizeBytes: number };

/** What the spool does on disk. Each call is on disk, folder included, when it resolves. */
export interface SpoolFiles {
  /** Writes a recording as `name.active`, then renames it. @throws FleetError RECORD_WRITE */
  writeRecording(
    name: string,
    metadata: RecordingMetadata,
    messages: Iterable<SourceMessage>,
  ): Promise<WrittenRecording>;
  /** Replaces a small file as a whole. @throws FleetError RECORD_WRITE */
  writeText(name: string, text: string): Promise<void>;
  /** @throws FleetError RECORD_WRITE */
  appendLine(name: string, line: string): Promise<void>;
  /** The text of a small file, or undefined when there is none. */
  readText(name: string): Promise<string | undefined>;
  readBytes(name: string, offset: number, length: number): Promise<Uint8Array>;
  /** Names (with `/` between folder and file) and sizes of the files of a folder; empty when there is none. */
  list(folder: string): Promise<readonly { readonly name: string; readonly sizeBytes: number }[]>;
  /** Moves a file and makes the target's folder. */
  move(name: string, target: string): Promise<void>;
  remove(name: string): Promise<void>;
}

/** One drive that the world hands to the vehicle. */
export type Drive = {
  /** Name of the drive session. */
  readonly session: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly channels: readonly Channel[];
  /** Times real time; 0 is as fast as possible. */
  readonly speed: number;
  readonly batches: (signal?: AbortSignal) => AsyncIterable<readonly SourceMessage[]>;
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
};

/** Installs what the director names and infers over captured messages. Implemented in install/ and infer/. */
export interface ModelRuntime {
  /** Starts or continues the installation that the director's targets ask for; never throws for bad input: refusals are reported. */
  applyDirector(envelope: DsseEnvelope | null, signal?: AbortSignal): Promise<void>;
  /** Feeds one captured message in log-time order; returns the inferences of the windows that it closed. */
  push(message: SourceMessage, session: string): Promise<readonly InferenceResult[]>;
  /** Ends a session: incomplete windows are dropped, state of the streaming features is cleared. */
  endSession(): Promise<readonly InferenceResult[]>;
  report(): ReportedState['model'];
  readonly deadlineMisses: number;
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
};
