// Why this file exists: bundles carry the signature of the image key, director documents that of another: neither can stand in for the other.
import { BUNDLE_PAYLOAD_TYPE } from '@fleetloop/schemas';
import { type SigningKey, signDocument } from '@fleetloop/schemas/crypto';
import type { BundleSigner } from '../ports.ts';

/** Signs with the image key (Ed25519, DSSE v1 over canonical JSON). */
export function createBundleSigner(imageKey: SigningKey): BundleSigner {
  return { sign: (manifest) => signDocument(BUNDLE_PAYLOAD_TYPE, manifest, imageKey) };
}
