/**
 * Knows which chunks have done their work. After a crash a chunk can come once more, as a message that was not acknowledged or
 * was published twice; when its recording is finished already it would lie in staging for nobody.
 */
import type { Digest } from '@fleetloop/schemas';
import type { BlobStore } from '../ports.ts';
import type { AcceptedRecordings } from './accepted-recordings.ts';
import { decodeManifest } from './manifest.ts';

/** Chunks that are remembered; more than can be delivered and not acknowledged at any moment. */
export const FINISHED_CHUNKS_MAX = 65_536;

export class FinishedChunks {
  readonly #finished = new Set<string>();
  /** Chunks that a manifest still asks for, whatever they were part of before. */
  readonly #wanted = new Set<string>();

  /** The chunks of the recordings that were accepted last, read back from their manifests after a restart. */
  static async load(
    accepted: AcceptedRecordings,
    blobs: BlobStore,
    recordingBytesMax: number,
  ): Promise<FinishedChunks> {
    const finished = new FinishedChunks();
    for (const digest of accepted.lastManifests()) {
      // This saves disk space and nothing else: a manifest that cannot be read must not keep ingest from starting.
      const bytes = await blobs.get(digest).catch(() => undefined);
      if (bytes === undefined) continue;
      const { vehicleId, chunks } = decodeManifest(bytes, recordingBytesMax);
      finished.finish(vehicleId, chunks);
    }
    return finished;
  }

  finish(vehicleId: string, chunks: readonly Digest[]): void {
    for (const chunk of chunks) {
      const key = keyOf(vehicleId, chunk);
      this.#wanted.delete(key);
      this.#finished.add(key);
    }
    forgetOldest(this.#finished);
  }

  /** A manifest lacks chunks: those that come now are for it. */
  want(vehicleId: string, chunks: readonly Digest[]): void {
    for (const chunk of chunks) this.#wanted.add(keyOf(vehicleId, chunk));
    forgetOldest(this.#wanted);
  }

  /** Whether a chunk comes after its recording was finished, and nothing else asks for it. */
  isLate(vehicleId: string, claimed: string | undefined): boolean {
    const key = keyOf(vehicleId, claimed ?? '');
    return this.#finished.has(key) && !this.#wanted.has(key);
  }
}

function forgetOldest(keys: Set<string>): void {
  for (const oldest of keys) {
    if (keys.size <= FINISHED_CHUNKS_MAX) return;
    keys.delete(oldest);
  }
}

const keyOf = (vehicleId: string, chunk: string): string => `${vehicleId}/${chunk}`;
