/**
 * Takes chunks and manifests until a recording is whole, verified and in the ledger. Each step may be repeated: a crash
 * anywhere, followed by the same messages again, ends in the same state.
 */
import type { Digest, ErrorCode } from '@fleetloop/schemas';
import { FleetError } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import type { Receipt } from '@fleetloop/schemas/wire';
import type { BlobStore, Ledger } from '../ports.ts';
import type { AcceptedRecordings } from './accepted-recordings.ts';
import type { Assembled } from './assemble.ts';
import { judgeChunk, missingBitmap } from './chunk.ts';
import { acceptedFact, appendOnce, INGEST_ACTOR } from './facts.ts';
import type { FinishedChunks } from './finished-chunks.ts';
import { decodeManifest, type ReceivedManifest, verifyManifest } from './manifest.ts';
import type { Assemblies, ChunkStaging, EnrolledVehicle, RecordingAssembler, VehicleRegistry } from './ports.ts';
import { missingReceipt, refusedReceipt, verifiedReceipt } from './receipt.ts';
import { checkClaim, type RecordingSummary } from './recording-check.ts';
import { isRefusal, type Refusals } from './refusal.ts';

export type UploadIntakeParts = {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  readonly staging: ChunkStaging;
  readonly assemblies: Assemblies;
  readonly assembler: RecordingAssembler;
  readonly refusals: Refusals;
  readonly registry: VehicleRegistry;
  readonly accepted: AcceptedRecordings;
  readonly finished: FinishedChunks;
  readonly recordingBytesMax: number;
};

/** What became of a message; `receipt` is what the vehicle is told. */
export type IntakeOutcome =
  | { readonly kind: 'stored' }
  | {
      readonly kind: 'verified';
      readonly receipt: Receipt;
      readonly recording: Digest;
      readonly sequence: number;
      readonly isNew: boolean;
    }
  | { readonly kind: 'incomplete'; readonly receipt: Receipt }
  | {
      readonly kind: 'refused';
      readonly receipt: Receipt | undefined;
      readonly code: ErrorCode;
      readonly message: string;
    };

const NO_EVENT = '';

/** One chunk message. */
export type ArrivedChunk = {
  /** The digest in its header. */
  readonly claimed: string | undefined;
  readonly bytes: Uint8Array;
};

export class UploadIntake {
  readonly #parts: UploadIntakeParts;

  constructor(parts: UploadIntakeParts) {
    this.#parts = parts;
  }

  /**
   * Stages one chunk.
   * @throws FleetError with `retryable` when it could not be stored now
   */
  async takeChunk(vehicleId: string, chunk: ArrivedChunk): Promise<IntakeOutcome> {
    const { claimed, bytes } = chunk;
    if (this.#parts.finished.isLate(vehicleId, claimed)) return { kind: 'stored' };
    const enrolled = await this.#parts.registry.find(vehicleId);
    if (enrolled === undefined) {
      // Nothing is stored for an unknown vehicle, so that a stranger cannot fill the disk; its manifest gets the answer.
      const { code, message } = unknownVehicle(vehicleId);
      return { kind: 'refused', receipt: undefined, code, message };
    }
    // At most half a millisecond: handing the bytes to another thread copies them, which costs more.
    const verdict = judgeChunk(vehicleId, claimed, digestOfBytes(bytes), bytes.length);
    if (verdict.kind === 'good') {
      await this.#parts.staging.put(vehicleId, verdict.digest, bytes);
      return { kind: 'stored' };
    }
    const { actual: recording, error } = verdict;
    const reason = {
      recording,
      vehicleId,
      eventId: NO_EVENT,
      code: error.code,
      message: error.message,
      source: 'uplink',
    } as const;
    await this.#parts.refusals.record({ refused: recording, reason, evidence: { bytes } });
    return {
      kind: 'refused',
      receipt: refusedReceipt({ recording, eventId: NO_EVENT }, error),
      code: error.code,
      message: error.message,
    };
  }

  /**
   * Answers one manifest. Calls for one vehicle must not overlap, so that an event is checked against the ones before it.
   * @throws FleetError with `retryable` when it could not be decided now
   */
  async takeManifest(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome> {
    let manifest: ReceivedManifest | undefined;
    try {
      const enrolled = await this.#parts.registry.find(vehicleId);
      manifest = decodeManifest(bytes, this.#parts.recordingBytesMax);
      if (enrolled === undefined) throw unknownVehicle(vehicleId);
      return await this.#decide(manifest, enrolled);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return this.#refuse(vehicleId, bytes, error, manifest);
    }
  }

  async #decide(manifest: ReceivedManifest, enrolled: EnrolledVehicle): Promise<IntakeOutcome> {
    const { accepted, finished, staging, refusals } = this.#parts;
    verifyManifest(manifest, enrolled);
    const known = accepted.find(manifest.recording, manifest);
    if (known !== undefined) {
      await this.#finish(manifest);
      return verified(manifest, known.sequence, false);
    }
    const before = await refusals.find(manifest.digest);
    if (before !== undefined) return { kind: 'refused', receipt: refusedReceipt(manifest, before), ...before };
    const sizes = await staging.sizes(enrolled.vehicleId, manifest.chunks);
    const missing = missingBitmap(sizes, manifest.sizeBytes, manifest.chunkSizeBytes);
    if (missing !== undefined) {
      finished.want(manifest.vehicleId, manifest.chunks);
      return { kind: 'incomplete', receipt: missingReceipt(manifest, missing) };
    }
    return this.#accept(manifest);
  }

  /** Blob first, fact second, answer third, clean-up last: what the ledger names is always there. */
  async #accept(manifest: ReceivedManifest): Promise<IntakeOutcome> {
    const { assemblies, assembler, blobs, ledger, accepted } = this.#parts;
    const assembly = await assemblies.open();
    try {
      const assembled = await assembler.assemble(manifest.vehicleId, manifest.chunks, assembly.path);
      const summary = await this.#judge(manifest, assembled, assembly.path);
      await blobs.adopt(assembly.path, assembled.digest, { isChecked: true });
      const evidence = await blobs.put(manifest.bytes);
      const fact = acceptedFact({
        digest: assembled.digest,
        sizeBytes: assembled.sizeBytes,
        summary,
        source: 'uplink',
        manifest: evidence,
        actor: INGEST_ACTOR,
      });
      const { sequence, isNew } = await appendOnce(ledger, [fact]);
      accepted.add(fact.body, sequence);
      await this.#finish(manifest);
      return verified(manifest, sequence, isNew);
    } finally {
      await assembly.discard();
    }
  }

  async #judge(manifest: ReceivedManifest, assembled: Assembled, file: string): Promise<RecordingSummary> {
    try {
      if (assembled.digest !== manifest.recording) {
        throw new FleetError(
          'INGEST_RECORDING_DIGEST',
          `the chunks make a recording with ${assembled.digest}, but the manifest names ${manifest.recording}`,
        );
      }
      if (assembled.check.kind === 'bad') throw assembled.check.error;
      checkClaim(assembled.check.summary.metadata, manifest);
      return assembled.check.summary;
    } catch (error) {
      // Keep the recording itself while its file still stands; #refuse finds the entry and repeats only the answer.
      if (isRefusal(error)) await this.#quarantine(manifest, error, { file });
      throw error;
    }
  }

  async #finish(manifest: ReceivedManifest): Promise<void> {
    this.#parts.finished.finish(manifest.vehicleId, manifest.chunks);
    await this.#parts.staging.remove(manifest.vehicleId, manifest.chunks);
  }

  async #quarantine(
    manifest: ReceivedManifest,
    error: FleetError,
    evidence: { readonly file?: string; readonly bytes?: Uint8Array },
  ): Promise<void> {
    const { recording, vehicleId, eventId, digest } = manifest;
    const reason = {
      recording,
      vehicleId,
      eventId,
      code: error.code,
      message: error.message,
      source: 'uplink',
    } as const;
    await this.#parts.refusals.record({ refused: digest, reason, evidence });
  }

  async #refuse(
    vehicleId: string,
    bytes: Uint8Array,
    error: FleetError,
    manifest: ReceivedManifest | undefined,
  ): Promise<IntakeOutcome> {
    const { code, message } = error;
    if (manifest === undefined) {
      const recording = digestOfBytes(bytes);
      await this.#parts.refusals.record({
        refused: recording,
        reason: { recording, vehicleId, eventId: NO_EVENT, code, message, source: 'uplink' },
        evidence: { bytes },
      });
      return { kind: 'refused', receipt: refusedReceipt({ recording, eventId: NO_EVENT }, error), code, message };
    }
    await this.#quarantine({ ...manifest, vehicleId }, error, { bytes });
    // Only the vehicle that signed may throw its own chunks away; a forged manifest must not.
    if (error.code !== 'INGEST_MANIFEST_SIGNATURE' && manifest.vehicleId === vehicleId) {
      await this.#finish(manifest);
    }
    return { kind: 'refused', receipt: refusedReceipt(manifest, error), code, message };
  }
}

function unknownVehicle(vehicleId: string): FleetError {
  return new FleetError('INGEST_VEHICLE_UNKNOWN', `vehicle ${vehicleId} is not enrolled: enrol it before it uploads`);
}

function verified(manifest: ReceivedManifest, sequence: number, isNew: boolean): IntakeOutcome {
  return {
    kind: 'verified',
    receipt: verifiedReceipt(manifest, sequence),
    recording: manifest.recording,
    sequence,
    isNew,
  };
}
