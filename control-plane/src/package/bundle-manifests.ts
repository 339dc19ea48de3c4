/** Why: health compares windows with what the bundle says of its training; the manifest is read once per bundle. */
import { BundleManifest, type Digest, DsseEnvelope } from '@fleetloop/schemas';
import type { BlobStore } from '../ports.ts';

const CACHED_MAX = 64;

/** Reads manifests of bundles that we signed ourselves. */
export class BundleManifests {
  readonly #blobs: BlobStore;
  readonly #cache = new Map<string, BundleManifest>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** @throws FleetError BLOB_NOT_FOUND */
  async get(bundle: string): Promise<BundleManifest> {
    const known = this.#cache.get(bundle);
    if (known !== undefined) return known;
    const envelope = DsseEnvelope.parse(
      JSON.parse(Buffer.from(await this.#blobs.get(bundle as Digest)).toString('utf8')),
    );
    const manifest = BundleManifest.parse(JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')));
    if (this.#cache.size >= CACHED_MAX) this.#cache.clear();
    this.#cache.set(bundle, manifest);
    return manifest;
  }
}
