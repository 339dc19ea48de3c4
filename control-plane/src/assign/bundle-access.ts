/** Which blobs a vehicle may fetch: the bundles that its desired state names, and the files inside them. */
import {
  BUNDLE_PAYLOAD_TYPE,
  BundleManifest,
  type Digest,
  DsseEnvelope,
  FleetError,
  isDigest,
} from '@fleetloop/schemas';
import type { BlobStore, VehicleStates } from '../ports.ts';
import { targetsOf } from './desired-changes.ts';

/** Bundles whose contents are remembered. */
const BUNDLES_REMEMBERED_MAX = 64;

export class BundleAccess {
  readonly #blobs: BlobStore;
  readonly #vehicles: VehicleStates;
  readonly #contents = new Map<string, ReadonlySet<string>>();

  constructor(blobs: BlobStore, vehicles: VehicleStates) {
    this.#blobs = blobs;
    this.#vehicles = vehicles;
  }

  /** @throws FleetError FORBIDDEN for a blob that no bundle of this vehicle needs */
  async check(vehicleId: string, digest: Digest): Promise<void> {
    const targets = targetsOf(await this.#vehicles.desired(vehicleId));
    for (const bundle of [targets?.bundle, targets?.shadow]) {
      if (!isDigest(bundle)) continue;
      if (bundle === digest || (await this.#filesOf(bundle)).has(digest)) return;
    }
    throw new FleetError('FORBIDDEN', `no bundle assigned to ${vehicleId} needs the blob ${digest}`);
  }

  async #filesOf(bundle: Digest): Promise<ReadonlySet<string>> {
    const known = this.#contents.get(bundle);
    if (known !== undefined) return known;
    const envelope = DsseEnvelope.parse(JSON.parse(Buffer.from(await this.#blobs.get(bundle)).toString('utf8')));
    const files = envelope.payloadType === BUNDLE_PAYLOAD_TYPE ? filesOf(envelope) : new Set<string>();
    if (this.#contents.size >= BUNDLES_REMEMBERED_MAX) this.#contents.clear();
    this.#contents.set(bundle, files);
    return files;
  }
}

function filesOf(envelope: DsseEnvelope): ReadonlySet<string> {
  const manifest = BundleManifest.parse(JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')));
  return new Set([...manifest.variants.map((variant) => variant.digest), manifest.golden.digest]);
}
