/**
 * Room on the disk of a relay. Chunks of recordings that a vehicle was promised stay until the centre has them; chunks that no
 * manifest has claimed yet may go again when they are old, because the vehicle still has them and is told what is missing.
 */
import { type Digest, FleetError } from '@fleetloop/schemas';

/** An unclaimed chunk that has not been touched for this long may be taken away for others, ms. */
export const LOOSE_CHUNK_MS = 60_000;

export type StoredChunk = { readonly vehicleId: string; readonly digest: Digest; readonly sizeBytes: number };
type Loose = StoredChunk & { readonly atMs: number };

/** Mutates as chunks come and go. */
export class RelayRoom {
  readonly #bytesMax: number;
  readonly #nowMs: () => number;
  /** By age, the oldest first. */
  readonly #loose = new Map<string, Loose>();
  readonly #promised = new Map<string, { readonly sizeBytes: number; readonly recordings: number }>();
  #bytes = 0;

  /** `nowMs` is monotonic. */
  constructor(bytesMax: number, nowMs: () => number) {
    this.#bytesMax = bytesMax;
    this.#nowMs = nowMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes room for a chunk. Returns the chunks that must be removed for it.
   * @throws FleetError RELAY_UNAVAILABLE when there is none: the vehicle waits
   */
  take(chunk: StoredChunk): readonly StoredChunk[] {
    const key = keyOf(chunk.vehicleId, chunk.digest);
    if (this.#promised.has(key)) return [];
    this.#forget(key);
    const evicted = this.#makeRoom(chunk.sizeBytes);
    this.add(chunk);
    return evicted;
  }

  /** Counts a chunk that is on the disk already. */
  add(chunk: StoredChunk): void {
    this.#loose.set(keyOf(chunk.vehicleId, chunk.digest), { ...chunk, atMs: this.#nowMs() });
    this.#bytes += chunk.sizeBytes;
  }

  /** Whether a chunk has its place: one without may be on its way out of the disk. */
  has(vehicleId: string, digest: Digest): boolean {
    const key = keyOf(vehicleId, digest);
    return this.#loose.has(key) || this.#promised.has(key);
  }

  /** The chunks of a recording stay until it is released, or its promise is taken back. */
  promise(vehicleId: string, chunks: readonly Digest[]): void {
    for (const digest of new Set(chunks)) {
      const key = keyOf(vehicleId, digest);
      const { sizeBytes = 0, recordings = 0 } = this.#promised.get(key) ?? {};
      this.#promised.set(key, { sizeBytes: this.#loose.get(key)?.sizeBytes ?? sizeBytes, recordings: recordings + 1 });
      this.#loose.delete(key);
    }
  }

  /** The recording was not stored after all: chunks that no other was promised may go when they are old. */
  takeBack(vehicleId: string, chunks: readonly Digest[]): void {
    for (const digest of new Set(chunks)) {
      const { sizeBytes = 0 } = this.#promised.get(keyOf(vehicleId, digest)) ?? {};
      if (this.release(vehicleId, [digest]).length > 0) this.add({ vehicleId, digest, sizeBytes });
    }
  }

  /** Gives the chunks of a recording back; returns those that no other recording needs. */
  release(vehicleId: string, chunks: readonly Digest[]): readonly Digest[] {
    return [...new Set(chunks)].filter((digest) => {
      const key = keyOf(vehicleId, digest);
      const promised = this.#promised.get(key);
      if (promised !== undefined && promised.recordings > 1) {
        this.#promised.set(key, { ...promised, recordings: promised.recordings - 1 });
        return false;
      }
      this.#promised.delete(key);
      this.#bytes -= promised?.sizeBytes ?? 0;
      this.#forget(key);
      return true;
    });
  }

  /** Chunks of a recording that was refused: those that others were promised stay. */
  discard(vehicleId: string, chunks: readonly Digest[]): readonly Digest[] {
    return [...new Set(chunks)].filter((digest) => {
      const key = keyOf(vehicleId, digest);
      if (this.#promised.has(key)) return false;
      this.#forget(key);
      return true;
    });
  }

  #makeRoom(sizeBytes: number): readonly StoredChunk[] {
    const evicted: Loose[] = [];
    let free = this.#bytesMax - this.#bytes;
    const oldEnough = this.#nowMs() - LOOSE_CHUNK_MS;
    for (const chunk of this.#loose.values()) {
      if (free >= sizeBytes || chunk.atMs > oldEnough) break;
      evicted.push(chunk);
      free += chunk.sizeBytes;
    }
    if (free < sizeBytes)
      throw new FleetError(
        'RELAY_UNAVAILABLE',
        `the relay holds ${this.#bytes} of ${this.#bytesMax} bytes: it takes more when the centre has taken some`,
      );
    for (const { vehicleId, digest } of evicted) this.#forget(keyOf(vehicleId, digest));
    return evicted;
  }

  #forget(key: string): void {
    this.#bytes -= this.#loose.get(key)?.sizeBytes ?? 0;
    this.#loose.delete(key);
  }
}

const keyOf = (vehicleId: string, digest: Digest): string => `${vehicleId}/${digest}`;
