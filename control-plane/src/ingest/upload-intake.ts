/**
 * Takes chunks and manifests until a recording is whole, verified and in the ledger. Each step may be repeated: a crash
 * anywhere, followed by the same messages again, ends in the same state.
 */
import type { Digest, FleetError, Priority } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import type { BlobStore, Ledger } from '../ports.ts';
import { admit } from './admission.ts';
import type { AcceptedRecordings } from './accepted-recordings.ts';
import type { Assembled } from './assemble.ts';
import { judgeChunk, missingBitmap } from './chunk.ts';
import { appendOnce, INGEST_ACTOR } from './facts.ts';
import type { FinishedChunks } from './finished-chunks.ts';
import type { ArrivedChunk, GatedIntake, IntakeOutcome } from './intake.ts';
import { KeyedTurns } from './keyed-turns.ts';
import { decodeManifest, type ReceivedManifest, verifyManifest } from './manifest.ts';
import type { Assemblies, ChunkStaging, EnrolledVehicle, RecordingAssembler, VehicleRegistry } from './ports.ts';
import { missingReceipt, refusedReceipt, verifiedReceipt } from './receipt.ts';
import type { Filed, RecordingFiler } from './recording-filer.ts';
import { isRefusal, refusalReason, type Refusals } from './refusal.ts';
import { parseRelayRefusal } from './relay-refusal.ts';
import { evictedFact, readTombstone, type ReceivedTombstone } from './tombstone.ts';
import { checkUpload } from './upload-check.ts';

export type UploadIntakeParts = {
  readonly ledger: Ledger;
  readonly blobs: BlobStore;
  readonly staging: ChunkStaging;
  readonly assemblies: Assemblies;
  /** Recordings of one class must not wait while those of another are put together. */
  readonly assemblerOf: (priority: Priority) => RecordingAssembler;
  readonly filer: RecordingFiler;
  readonly refusals: Refusals;
  readonly registry: VehicleRegistry;
  readonly accepted: AcceptedRecordings;
  readonly finished: FinishedChunks;
  readonly recordingBytesMax: number;
};

const NO_EVENT = '';

export class UploadIntake implements GatedIntake {
  readonly #parts: UploadIntakeParts;
  readonly #events = new KeyedTurns();

  constructor(parts: UploadIntakeParts) {
    this.#parts = parts;
  }

  async admitChunk(vehicleId: string, claimed: string | undefined): Promise<IntakeOutcome | undefined> {
    if (this.#parts.finished.isLate(vehicleId, claimed)) return { kind: 'stored' };
    try {
      await admit(this.#parts.registry, vehicleId);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // Nothing is stored for an unknown vehicle, so that a stranger cannot fill the disk; its manifest gets the answer.
      return { kind: 'refused', receipt: undefined, code: error.code, message: error.message };
    }
    return undefined;
  }

  /**
   * Stages one chunk.
   * @throws FleetError with `retryable` when it could not be stored now
   */
  async takeChunk(vehicleId: string, chunk: ArrivedChunk): Promise<IntakeOutcome> {
    const { claimed, bytes } = chunk;
    const answered = await this.admitChunk(vehicleId, claimed);
    if (answered !== undefined) return answered;
    // At most half a millisecond: handing the bytes to another thread copies them, which costs more.
    const verdict = judgeChunk(vehicleId, claimed, digestOfBytes(bytes), bytes.length);
    if (verdict.kind === 'good') {
      await this.#parts.staging.put(vehicleId, verdict.digest, bytes);
      return { kind: 'stored' };
    }
    const { actual: recording, error } = verdict;
    const reason = refusalReason({ recording, vehicleId, eventId: NO_EVENT }, error, 'uplink');
    await this.#parts.refusals.record({ refused: recording, reason, evidence: { bytes } });
    return {
      kind: 'refused',
      receipt: refusedReceipt({ recording, eventId: NO_EVENT }, error),
      code: error.code,
      message: error.message,
    };
  }

  /**
   * Answers one manifest. Manifests of one event wait for each other, so that it counts once whatever lane they come in.
   * @throws FleetError with `retryable` when it could not be decided now
   */
  async takeManifest(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome> {
    let manifest: ReceivedManifest | undefined;
    try {
      const received = (manifest = decodeManifest(bytes, this.#parts.recordingBytesMax));
      const enrolled = await admit(this.#parts.registry, vehicleId, received.signed.publicKey);
      return await this.#events.run(`${vehicleId}/${received.eventId}`, async () => this.#decide(received, enrolled));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return this.#refuse(vehicleId, bytes, error, manifest);
    }
  }

  /**
   * Files what a vehicle says it has lost, unless it has arrived.
   * @throws FleetError with `retryable` when it could not be filed now
   */
  async takeTombstone(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome> {
    const { registry } = this.#parts;
    try {
      const received = await readTombstone(bytes, async (publicKey) => admit(registry, vehicleId, publicKey));
      const { eventId } = received.tombstone;
      return await this.#events.run(`${vehicleId}/${eventId}`, async () => this.#fileLoss(received, bytes));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return this.#refuse(vehicleId, bytes, error, undefined);
    }
  }

  /**
   * Files what a relay refused, so that the centre knows of it. The manifest inside is the vehicle's own word: a report without
   * one that verifies is not believed.
   * @throws FleetError with `retryable` when it could not be filed now; otherwise what is wrong with the report
   */
  async takeRelayRefusal(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome> {
    const { relay, code, message, manifest: signed } = parseRelayRefusal(bytes);
    const manifest = decodeManifest(signed, this.#parts.recordingBytesMax);
    verifyManifest(manifest, await admit(this.#parts.registry, vehicleId, manifest.signed.publicKey));
    const reason = refusalReason({ ...manifest, vehicleId }, { code, message: `${relay}: ${message}` }, 'relay');
    await this.#parts.refusals.record({ refused: manifest.digest, reason, evidence: { bytes: signed }, actor: relay });
    return { kind: 'refused', receipt: undefined, code, message: reason.message };
  }

  /** A vehicle to which no receipt came gives up what is here already: that is no loss. */
  async #fileLoss(received: ReceivedTombstone, bytes: Uint8Array): Promise<IntakeOutcome> {
    const { ledger, blobs, accepted } = this.#parts;
    const { recording } = received;
    const answered = { recording, eventId: received.tombstone.eventId };
    const known = accepted.find(recording);
    if (known !== undefined) return verified(answered, known.sequence, false);
    await blobs.put(bytes);
    const { sequence, isNew } = await appendOnce(ledger, [evictedFact(received)]);
    return verified(answered, sequence, isNew);
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

  async #accept(manifest: ReceivedManifest): Promise<IntakeOutcome> {
    const { assemblies, assemblerOf, staging } = this.#parts;
    const assembly = assemblies.begin();
    try {
      const pieces = await staging.locate(manifest.vehicleId, manifest.chunks);
      const assembled = await assemblerOf(manifest.priority).assemble(pieces, assembly.path);
      const { sequence, isNew } = await this.#file(manifest, assembled, assembly.path);
      await this.#finish(manifest);
      return verified(manifest, sequence, isNew);
    } finally {
      await assembly.discard();
    }
  }

  async #file(manifest: ReceivedManifest, assembled: Assembled, path: string): Promise<Filed> {
    const { digest, sizeBytes } = assembled;
    const arrived = {
      path,
      digest,
      sizeBytes,
      source: 'uplink',
      actor: INGEST_ACTOR,
      manifest: manifest.bytes,
    } as const;
    try {
      return await this.#parts.filer.file({ ...arrived, summary: checkUpload(assembled, manifest) });
    } catch (error) {
      // Keep the recording itself while its file still stands; #refuse finds the entry and repeats only the answer.
      if (isRefusal(error)) await this.#quarantine(manifest, error, { file: path });
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
    const reason = refusalReason(manifest, error, 'uplink');
    await this.#parts.refusals.record({ refused: manifest.digest, reason, evidence });
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
        reason: refusalReason({ recording, vehicleId, eventId: NO_EVENT }, error, 'uplink'),
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

function verified(
  answered: { readonly recording: Digest; readonly eventId: string },
  sequence: number,
  isNew: boolean,
): IntakeOutcome {
  const { recording } = answered;
  return { kind: 'verified', receipt: verifiedReceipt(answered, sequence), recording, sequence, isNew };
}
