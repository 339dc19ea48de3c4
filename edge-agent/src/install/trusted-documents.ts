// Why this file exists: nothing that comes over the link is believed before a signature, a digest and this vehicle's own facts agree.
import {
  BUNDLE_PAYLOAD_TYPE,
  BundleManifest,
  DIRECTOR_PAYLOAD_TYPE,
  DirectorTargets,
  FleetError,
} from '@fleetloop/schemas';
import { digestOfBytes, digestOfDocument, verifyDocument } from '@fleetloop/schemas/crypto';

/** Profile name of bundles that fit any hardware revision. */
export const ANY_HARDWARE = 'any';

export type TrustedDirector = { readonly targets: DirectorTargets; readonly digest: string };

/**
 * Verifies a director document for this vehicle.
 * @throws FleetError PACKAGE_SIGNATURE, PACKAGE_INVALID, INSTALL_INCOMPATIBLE (addressed to another vehicle)
 */
export function verifyDirector(envelope: unknown, keysPem: readonly string[], vehicleId: string): TrustedDirector {
  const parsed = DirectorTargets.safeParse(verifyDocument(envelope, DIRECTOR_PAYLOAD_TYPE, keysPem));
  if (!parsed.success)
    throw new FleetError('PACKAGE_INVALID', `the director document is not valid: ${parsed.error.message}`);
  if (parsed.data.vehicleId !== vehicleId) {
    throw new FleetError(
      'INSTALL_INCOMPATIBLE',
      `the director document is for vehicle ${parsed.data.vehicleId}, this is ${vehicleId}`,
    );
  }
  return { targets: parsed.data, digest: digestOfDocument(parsed.data) };
}

/**
 * Verifies the envelope of a bundle: its digest, its signature, its schema, its inner consistency and the hardware.
 * @throws FleetError PACKAGE_DIGEST, PACKAGE_SIGNATURE, PACKAGE_INVALID, INSTALL_INCOMPATIBLE
 */
export function verifyBundle(
  bytes: Uint8Array,
  digest: string,
  keysPem: readonly string[],
  hardwareRevision: string,
): BundleManifest {
  checkDigest('the bundle', bytes, digest);
  const parsed = BundleManifest.safeParse(verifyDocument(parseJson(bytes), BUNDLE_PAYLOAD_TYPE, keysPem));
  if (!parsed.success) throw new FleetError('PACKAGE_INVALID', `the bundle is not valid: ${parsed.error.message}`);
  const manifest = parsed.data;
  const { featureSet, trainingDistribution } = manifest;
  if (digestOfDocument(featureSet) !== manifest.featureSetDigest) {
    throw new FleetError(
      'PACKAGE_INVALID',
      `the feature set in bundle ${digest} does not have the digest that the bundle names`,
    );
  }
  const widths = [trainingDistribution.mean.length, trainingDistribution.std.length];
  if (widths.some((width) => width !== featureSet.features.length)) {
    throw new FleetError(
      'PACKAGE_INVALID',
      `bundle ${digest} has ${featureSet.features.length} features but a training distribution of ${widths.join(' and ')}`,
    );
  }
  if (!manifest.hardwareProfiles.some((profile) => profile === ANY_HARDWARE || profile === hardwareRevision)) {
    throw new FleetError(
      'INSTALL_INCOMPATIBLE',
      `bundle ${digest} is for hardware ${manifest.hardwareProfiles.join(', ')}, this vehicle is ${hardwareRevision}`,
    );
  }
  return manifest;
}

/** @throws FleetError PACKAGE_DIGEST */
export function checkDigest(what: string, bytes: Uint8Array, digest: string): void {
  const actual = digestOfBytes(bytes);
  if (actual !== digest)
    throw new FleetError('PACKAGE_DIGEST', `${what} has digest ${actual}, expected ${digest}: fetch it again`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new FleetError('PACKAGE_SIGNATURE', 'the bundle is not a DSSE envelope in JSON', { cause });
  }
}
