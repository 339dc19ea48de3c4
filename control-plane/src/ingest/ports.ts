/** What ingest needs from the world, and what it offers to the API. */
import type { Readable } from 'node:stream';
import type { Digest, ErrorCode } from '@fleetloop/schemas';
import type { Assembled } from './assemble.ts';

/** Chunks on disk until their recording is complete; every method may be repeated after a crash. */
export interface ChunkStaging {
  /** Stores a chunk durably under its digest; a chunk that is there already is left alone. */
  put(vehicleId: string, digest: Digest, bytes: Uint8Array): Promise<void>;
  /** Sizes of the staged chunks in the given order, undefined where one is missing. */
  sizes(vehicleId: string, digests: readonly Digest[]): Promise<readonly (number | undefined)[]>;
  remove(vehicleId: string, digests: readonly Digest[]): Promise<void>;
  /** Where staged chunks stand, in the given order. */
  locate(vehicleId: string, digests: readonly Digest[]): Promise<readonly StagedPiece[]>;
}

/** Bytes of a file. */
export type StagedPiece = { readonly path: string; readonly offset: number; readonly sizeBytes: number };

/** Where a recording is put together; the file becomes a blob or goes to quarantine. */
export interface Assembly {
  /** Nothing is there before the first byte is written. */
  readonly path: string;
  /** Removes the file where it still stands; safe after it was moved away. */
  discard(): Promise<void>;
}

/** Puts staged chunks together, away from the thread that takes messages. */
export interface RecordingAssembler {
  /**
   * Writes the pieces in their order into the file at `path`, makes it durable, and hashes and checks it on the way.
   * @throws FleetError RECORD_WRITE (retryable) when a piece cannot be read or the file not be written
   */
  assemble(pieces: readonly StagedPiece[], path: string): Promise<Assembled>;
}

/** The same for bytes that are arriving. */
export interface StreamAssembler {
  /**
   * Writes `bytes` behind the first `keptBytes` of the file, which begin the recording; whatever stands behind those is cut off.
   * @throws FleetError RECORD_WRITE (retryable) when the file cannot be written; whatever the source throws as FleetError
   */
  assembleStream(
    bytes: AsyncIterable<Uint8Array>,
    file: { readonly path: string; readonly keptBytes: number },
  ): Promise<Assembled>;
}

/** Names files on the file system of the blob store, so that adopting one is a rename. */
export interface Assemblies {
  begin(): Assembly;
}

export type QuarantineReason = {
  readonly recording: Digest;
  readonly vehicleId: string;
  readonly eventId: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly source: 'uplink' | 'import' | 'relay';
  /** All findings, where the standard kept it out. */
  readonly report?: Digest;
  /** What an import told about it, for the case that somebody releases it. */
  readonly importKey?: Digest;
  readonly label?: Label;
};

/** Keeps refused uploads with their reason for people to look at, and to take in after all. */
export interface Quarantine {
  /** Stores the reason and, within the quota, the bytes. Repeating it for one key changes nothing. */
  keep(
    key: string,
    reason: QuarantineReason,
    evidence: { readonly file?: string; readonly bytes?: Uint8Array },
  ): Promise<void>;
  /** The bytes that were kept under a key; undefined where there was no room for them. */
  open(key: string): Promise<Readable | undefined>;
}

/** An enrolled vehicle, as far as ingest must know it. */
export type EnrolledVehicle = {
  readonly vehicleId: string;
  readonly publicKey: string;
  /** Its key counts no more. */
  readonly isRevoked: boolean;
};

export interface VehicleRegistry {
  /** `isFresh` asks the source itself, past whatever is remembered. */
  find(vehicleId: string, options?: { readonly isFresh?: boolean }): Promise<EnrolledVehicle | undefined>;
}

/** Files of recordings that are sent in several attempts, each known by the digest that it will have. */
export interface PartialUploads {
  /** Bytes that arrived before; 0 where there is nothing. */
  receivedBytes(recording: Digest): Promise<number>;
  /** The file of an upload, made where there is none. @throws FleetError INGEST_LIMIT when too many are unfinished */
  open(recording: Digest): Promise<string>;
  remove(recording: Digest): Promise<void>;
}

/** The decision to take a recording in although it breaks the standard. */
export type Release = {
  /** Ledger sequence of its quarantine. */
  readonly quarantine: number;
  readonly reason: string;
};

export type Label = {
  readonly label: string;
  readonly method: string;
  /** Who said so, where it is not who asks. */
  readonly annotator?: string;
};

export type ImportRequest = {
  /** Each part is used until the next one is asked for, and not after that. */
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly actor: string;
  readonly label?: Label;
  /** Digest over source files and specification. */
  readonly importKey?: Digest;
  /** The bytes continue an upload behind its first `fromByte`; the recording must have this digest. */
  readonly upload?: { readonly recording: Digest; readonly fromByte: number };
  /** It comes out of quarantine, and how it came there. */
  readonly release?: ReleasedRecording;
};

export type ReleasedRecording = Release & {
  readonly recording: Digest;
  readonly source: 'uplink' | 'import';
};

export type ReleaseRequest = ReleasedRecording &
  Pick<ImportRequest, 'importKey' | 'label'> & {
    /** Under which the quarantine keeps it. */
    readonly key: string;
    readonly actor: string;
  };

export type ImportOutcome = {
  readonly recording: Digest;
  readonly sequence: number;
  /** False when the recording was in the catalogue before. */
  readonly isNew: boolean;
  readonly session: string;
  readonly messages: number;
  readonly sizeBytes: number;
  /** What the quality standard found, by severity; absent for a recording that was known. */
  readonly findings?: FindingCounts;
};

export type FindingCounts = { readonly info: number; readonly warning: number; readonly error: number };

/** The part of ingest that the API calls. */
export interface Ingest {
  /**
   * @throws FleetError INGEST_MCAP_INVALID, INGEST_METADATA_MISSING, INGEST_STANDARD, INGEST_LIMIT; a refused recording is in
   * quarantine then. INGEST_UPLOAD_OFFSET when the upload is not as far as the caller thinks
   */
  import(request: ImportRequest): Promise<ImportOutcome>;
  /**
   * Takes a recording in that the standard has kept out; once, however often it is asked for.
   * @throws FleetError NOT_FOUND when its bytes were not kept, BLOB_DIGEST when they are not the ones that were refused
   */
  release(request: ReleaseRequest): Promise<ImportOutcome>;
  /** Bytes of an upload that arrived before. */
  receivedBytes(recording: Digest): Promise<number>;
}
