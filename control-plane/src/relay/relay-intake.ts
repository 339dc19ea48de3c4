/**
 * Takes uploads in a region: checks them as the centre would, answers for those that are whole and good, and stops the others
 * where they are. Each step may be repeated: a crash anywhere, followed by the same messages again, ends in the same state.
 */
import { type Digest, FleetError, type Priority } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import { admit } from '../ingest/admission.ts';
import { judgeChunk, missingBitmap } from '../ingest/chunk.ts';
import { quarantineKey } from '../ingest/facts.ts';
import type { ArrivedChunk, Intake, IntakeOutcome } from '../ingest/intake.ts';
import { KeyedTurns } from '../ingest/keyed-turns.ts';
import { decodeManifest, type ReceivedManifest, verifyManifest } from '../ingest/manifest.ts';
import type {
  Assemblies,
  ChunkStaging,
  EnrolledVehicle,
  Quarantine,
  RecordingAssembler,
  VehicleRegistry,
} from '../ingest/ports.ts';
import { missingReceipt, refusedReceipt, storedReceipt } from '../ingest/receipt.ts';
import { isRefusal, refusalReason } from '../ingest/refusal.ts';
import { encodeRelayRefusal } from '../ingest/relay-refusal.ts';
import { checkUpload } from '../ingest/upload-check.ts';
import type { Centre, HeldFiles, Outcomes, PendingReport } from './ports.ts';
import type { RelayRoom } from './relay-room.ts';

export type RelayIntakeParts = {
  readonly name: string;
  readonly registry: VehicleRegistry;
  readonly staging: ChunkStaging;
  readonly assemblies: Assemblies;
  readonly assemblerOf: (priority: Priority) => RecordingAssembler;
  readonly quarantine: Quarantine;
  readonly room: RelayRoom;
  readonly held: HeldFiles;
  readonly outcomes: Outcomes;
  readonly centre: Centre;
  /** Told of what must be brought to the centre. */
  readonly forward: {
    readonly isHeld: (digest: Digest) => boolean;
    readonly addRecording: (manifest: ReceivedManifest) => void;
    readonly addReport: (refused: Digest, report: PendingReport) => void;
  };
  readonly recordingBytesMax: number;
};

type Evidence = { readonly file?: string; readonly bytes?: Uint8Array };

export class RelayIntake implements Intake {
  readonly #parts: RelayIntakeParts;
  readonly #events = new KeyedTurns();

  constructor(parts: RelayIntakeParts) {
    this.#parts = parts;
  }

  async takeChunk(vehicleId: string, { claimed, bytes }: ArrivedChunk): Promise<IntakeOutcome> {
    const { room, staging } = this.#parts;
    try {
      await this.#admit(vehicleId);
      const verdict = judgeChunk(vehicleId, claimed, digestOfBytes(bytes), bytes.length);
      if (verdict.kind === 'bad') {
        const receipt = refusedReceipt({ recording: verdict.actual, eventId: '' }, verdict.error);
        return { kind: 'refused', receipt, code: verdict.error.code, message: verdict.error.message };
      }
      const { digest } = verdict;
      for (const old of room.take({ vehicleId, digest, sizeBytes: bytes.length }))
        await staging.remove(old.vehicleId, [old.digest]);
      await staging.put(vehicleId, digest, bytes);
      return { kind: 'stored' };
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return { kind: 'refused', receipt: undefined, code: error.code, message: error.message };
    }
  }

  async takeManifest(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome> {
    let manifest: ReceivedManifest | undefined;
    try {
      const received = (manifest = decodeManifest(bytes, this.#parts.recordingBytesMax));
      verifyManifest(received, await this.#admit(vehicleId, received.signed.publicKey));
      return await this.#events.run(`${vehicleId}/${received.eventId}`, async () => this.#decide(received));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return this.#refuse({ vehicleId, bytes, error, manifest });
    }
  }

  /** A tombstone explains a loss to the centre; nothing in it is for the relay. */
  async takeTombstone(vehicleId: string, bytes: Uint8Array): Promise<IntakeOutcome> {
    await this.#parts.centre.sendTombstone(vehicleId, bytes);
    return { kind: 'stored' };
  }

  async takeRelayRefusal(vehicleId: string): Promise<IntakeOutcome> {
    throw new FleetError('REQUEST_INVALID', `a report about ${vehicleId} came to a relay: it belongs to the centre`);
  }

  async #decide(manifest: ReceivedManifest): Promise<IntakeOutcome> {
    const { name, outcomes, staging, forward, held, room } = this.#parts;
    const { vehicleId, recording, chunks, sizeBytes, chunkSizeBytes } = manifest;
    if (forward.isHeld(manifest.digest)) return { kind: 'kept', receipt: storedReceipt(manifest, name), recording };
    const known = await outcomes.find(manifest);
    if (known?.outcome.case === 'refused')
      return { kind: 'refused', receipt: known, code: 'UPLINK_REFUSED', message: known.outcome.value.message };
    if (known !== undefined) return { kind: 'kept', receipt: known, recording };
    const onDisk = await staging.sizes(vehicleId, chunks);
    const sizes = chunks.map((digest, index) => (room.has(vehicleId, digest) ? onDisk[index] : undefined));
    const missing = missingBitmap(sizes, sizeBytes, chunkSizeBytes);
    if (missing !== undefined) return { kind: 'incomplete', receipt: missingReceipt(manifest, missing) };
    // From here on nothing takes a chunk of it away for others, while it is put together and checked.
    room.promise(vehicleId, chunks);
    try {
      await this.#check(manifest);
      await held.keepManifest(manifest);
    } catch (error) {
      room.takeBack(vehicleId, chunks);
      throw error;
    }
    forward.addRecording(manifest);
    return { kind: 'kept', receipt: storedReceipt(manifest, name), recording };
  }

  /** @throws FleetError INGEST_*; what it is about is in quarantine then */
  async #check(manifest: ReceivedManifest): Promise<void> {
    const { assemblies, assemblerOf, staging } = this.#parts;
    const assembly = assemblies.begin();
    try {
      const pieces = await staging.locate(manifest.vehicleId, manifest.chunks);
      const assembled = await assemblerOf(manifest.priority).assemble(pieces, assembly.path);
      try {
        checkUpload(assembled, manifest);
      } catch (error) {
        if (isRefusal(error)) await this.#quarantine(manifest, error, { file: assembly.path });
        throw error;
      }
    } finally {
      await assembly.discard();
    }
  }

  /** Evidence first, then the report to the centre, then what vehicles are told from now on. */
  async #refuse(refusal: {
    readonly vehicleId: string;
    readonly bytes: Uint8Array;
    readonly error: FleetError;
    readonly manifest: ReceivedManifest | undefined;
  }): Promise<IntakeOutcome> {
    const { vehicleId, bytes, error, manifest } = refusal;
    const { code, message } = error;
    const { name, held, forward, outcomes, room, staging } = this.#parts;
    if (manifest === undefined) {
      const receipt = refusedReceipt({ recording: digestOfBytes(bytes), eventId: '' }, error);
      return { kind: 'refused', receipt, code, message };
    }
    await this.#quarantine(manifest, error, { bytes });
    const receipt = refusedReceipt(manifest, error);
    if (error.code !== 'INGEST_MANIFEST_SIGNATURE' && manifest.vehicleId === vehicleId) {
      const report = { vehicleId, bytes: encodeRelayRefusal({ relay: name, code, message, manifest: bytes }) };
      await held.keepReport(manifest.digest, report);
      forward.addReport(manifest.digest, report);
      await outcomes.record(manifest, receipt);
      await staging.remove(vehicleId, room.discard(vehicleId, manifest.chunks));
    }
    return { kind: 'refused', receipt, code, message };
  }

  async #quarantine(manifest: ReceivedManifest, error: FleetError, evidence: Evidence): Promise<void> {
    await this.#parts.quarantine.keep(
      quarantineKey(manifest.digest),
      refusalReason(manifest, error, 'relay'),
      evidence,
    );
  }

  /** A vehicle that the region has not heard of yet may have been enrolled a moment ago: that is no reason to refuse it for good. */
  async #admit(vehicleId: string, publicKey?: string): Promise<EnrolledVehicle> {
    try {
      return await admit(this.#parts.registry, vehicleId, publicKey);
    } catch (error) {
      if (!(error instanceof FleetError) || error.code !== 'INGEST_VEHICLE_UNKNOWN') throw error;
      throw new FleetError('RELAY_UNAVAILABLE', `the region has not heard of vehicle ${vehicleId} yet`, {
        cause: error,
      });
    }
  }
}
