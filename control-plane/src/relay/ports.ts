/** What a relay needs from the world beside what ingest needs. */
import type { Digest } from '@fleetloop/schemas';
import type { Receipt } from '@fleetloop/schemas/wire';
import type { ReceivedManifest } from '../ingest/manifest.ts';

/** The way to the centre. */
export interface Centre {
  /** Resolves when the stream of the centre has stored it. @throws FleetError RELAY_UNAVAILABLE */
  sendChunk(manifest: ReceivedManifest, digest: Digest, bytes: Uint8Array): Promise<void>;
  /** Sends the manifest and waits for the answer of ingest. @throws FleetError RELAY_UNAVAILABLE */
  ask(manifest: ReceivedManifest): Promise<Receipt>;
  /** @throws FleetError RELAY_UNAVAILABLE */
  sendTombstone(vehicleId: string, bytes: Uint8Array): Promise<void>;
  /** @throws FleetError RELAY_UNAVAILABLE */
  reportRefusal(vehicleId: string, report: Uint8Array): Promise<void>;
}

/** What a vehicle was promised, and what the centre must still be told: survives a power cut. */
export interface HeldFiles {
  keepManifest(manifest: ReceivedManifest): Promise<void>;
  dropManifest(digest: Digest): Promise<void>;
  keepReport(refused: Digest, report: PendingReport): Promise<void>;
  dropReport(refused: Digest): Promise<void>;
}
export type PendingReport = { readonly vehicleId: string; readonly bytes: Uint8Array };

/** What became of recordings that were handed over or refused, for vehicles that ask again. */
export interface Outcomes {
  find(manifest: ReceivedManifest): Promise<Receipt | undefined>;
  record(manifest: ReceivedManifest, receipt: Receipt): Promise<void>;
}

/** Tells a vehicle of the region. */
export type TellVehicle = (vehicleId: string, receipt: Receipt) => void;
