/** Recordings in memory for an uplink that is tested or measured by itself: what comes from the disk queue in a vehicle. */
import type { SpoolEntry, TombstoneEntry, UploadSpool } from '@fleetloop/edge-agent';
import type { Priority } from '@fleetloop/schemas';
import { digestOfBytes } from '@fleetloop/schemas/crypto';

export type MemoryRecording = {
  readonly eventId: string;
  readonly priority: Priority;
  readonly session: string;
  readonly campaignIds: readonly string[];
  readonly bytes: Uint8Array;
  readonly chunkSizeBytes: number;
  readonly isResumed?: boolean;
};

export type EndOfUpload = { readonly eventId: string; readonly outcome: string; readonly atMs: number };

export class MemorySpool implements UploadSpool {
  readonly #entries = new Map<string, SpoolEntry>();
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #tombstones = new Map<string, TombstoneEntry>();
  readonly #listeners: (() => void)[] = [];
  /** What became of each, in the order of their ends. */
  readonly ends: EndOfUpload[] = [];
  /** Event ids of recordings that a relay said it has. */
  readonly storedAt = new Map<string, string>();

  put(recording: MemoryRecording): SpoolEntry {
    const { bytes, chunkSizeBytes } = recording;
    const count = Math.ceil(bytes.length / chunkSizeBytes);
    const chunkDigests = Array.from({ length: count }, (_, index) =>
      digestOfBytes(bytes.subarray(index * chunkSizeBytes, (index + 1) * chunkSizeBytes)),
    );
    return this.putEntry({ ...recording, digest: digestOfBytes(bytes), chunkDigests, sizeBytes: bytes.length });
  }

  /** A recording that is announced with these digests; its bytes repeat `bytes` as often as its size asks for. */
  putEntry(recording: MemoryRecording & Pick<SpoolEntry, 'digest' | 'chunkDigests' | 'sizeBytes'>): SpoolEntry {
    const { bytes, isResumed = false, ...rest } = recording;
    const entry: SpoolEntry = {
      ...rest,
      startNs: 0n,
      endNs: 0n,
      capturedAtMs: Date.now(),
      order: this.#entries.size + this.ends.length,
      generation: 1,
      isResumed,
      isSettled: true,
    };
    this.#bytes.set(entry.eventId, bytes);
    this.#entries.set(entry.eventId, entry);
    this.#changed();
    return entry;
  }

  bury(tombstone: TombstoneEntry): void {
    this.#tombstones.set(tombstone.eventId, tombstone);
    this.#changed();
  }

  entries(): readonly SpoolEntry[] {
    return [...this.#entries.values()];
  }

  tombstones(): readonly TombstoneEntry[] {
    return [...this.#tombstones.values()];
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async readChunk(entry: SpoolEntry, index: number): Promise<Uint8Array> {
    const bytes = this.#bytes.get(entry.eventId) ?? new Uint8Array();
    const offset = (index * entry.chunkSizeBytes) % bytes.length;
    return bytes.subarray(offset, offset + entry.chunkSizeBytes);
  }

  async stored(eventId: string, relay: string): Promise<void> {
    this.storedAt.set(eventId, relay);
  }

  async verified(eventId: string): Promise<void> {
    this.#end(eventId, 'verified');
  }

  async refused(eventId: string, code: string): Promise<void> {
    this.#end(eventId, `refused ${code}`);
  }

  async quarantine(eventId: string, code: string): Promise<void> {
    this.#end(eventId, `quarantined ${code}`);
  }

  async tombstoneDelivered(eventId: string): Promise<void> {
    this.#tombstones.delete(eventId);
    this.ends.push({ eventId, outcome: 'tombstone', atMs: performance.now() });
    this.#changed();
  }

  #end(eventId: string, outcome: string): void {
    this.#entries.delete(eventId);
    this.#bytes.delete(eventId);
    this.ends.push({ eventId, outcome, atMs: performance.now() });
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
