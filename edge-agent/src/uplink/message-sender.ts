/** Makes the messages of uploads and hands them to the link in the order in which they were chosen. */
import { CHUNK_DIGEST_HEADER, FleetError, subjects, type VehicleId } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';
import type { VehicleLink, VehicleSigner } from '../ports.ts';
import type { SpoolEntry } from '../spool/spool-entry.ts';
import { signManifest } from './signed-manifest.ts';
import { signTombstone } from './signed-tombstone.ts';
import type { UploadItem, UploadSpool } from './upload-item.ts';

export type SenderParts = {
  readonly vehicleId: VehicleId;
  readonly spool: Pick<UploadSpool, 'readChunk'>;
  readonly link: VehicleLink;
  readonly signer: VehicleSigner;
};

type Message = {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
};

export class MessageSender {
  readonly #parts: SenderParts;
  /** Kept when all that was chosen so far was handed to the link. */
  #handed: Promise<unknown> = Promise.resolve();

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the server has the message on disk. Reading may take its time, but a manifest never overtakes the chunk that
   * was chosen before it.
   * @throws FleetError SPOOL_CORRUPT, UPLINK_UNAVAILABLE, UPLINK_BUSY, UPLINK_FORBIDDEN
   */
  async send(item: UploadItem, what: 'manifest' | number, timeoutMs: number): Promise<void> {
    const before = this.#handed;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#handed = Promise.all([before, promise]);
    try {
      const { subject, payload, headers } = await this.#make(item, what);
      await before;
      const published = this.#parts.link.publish(subject, payload, headers, timeoutMs);
      resolve();
      await published;
    } finally {
      resolve();
    }
  }

  async #make(item: UploadItem, what: 'manifest' | number): Promise<Message> {
    const { vehicleId, signer, spool } = this.#parts;
    if (item.kind === 'tombstone') {
      const payload = signTombstone(item.entry, vehicleId, signer);
      return { subject: subjects.tombstone(vehicleId), payload, headers: {} };
    }
    const { entry } = item;
    const { priority } = entry;
    if (what === 'manifest') {
      const payload = signManifest(entry, vehicleId, signer);
      return { subject: subjects.manifest(vehicleId, priority), payload, headers: {} };
    }
    const payload = await readWhole(spool, entry, what);
    const headers = { [CHUNK_DIGEST_HEADER]: entry.chunkDigests[what] ?? '' };
    return { subject: subjects.chunk(vehicleId, priority), payload, headers };
  }
}

async function readWhole(spool: SenderParts['spool'], entry: SpoolEntry, index: number): Promise<Uint8Array> {
  const bytes = await spool.readChunk(entry, index);
  if (digestOfBytes(bytes) === entry.chunkDigests[index]) return bytes;
  throw new FleetError(
    'SPOOL_CORRUPT',
    `chunk ${index} of recording ${entry.eventId} has changed on disk: the disk may be failing`,
  );
}
