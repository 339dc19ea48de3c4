import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { FleetError } from '@fleetloop/schemas';
import { ManifestSchema, SignedManifestSchema } from '@fleetloop/schemas/wire';
import { createUser, type KeyPair } from '@nats-io/nkeys';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeManifest, MANIFEST_BYTES_MAX, verifyManifest } from './manifest.ts';

const RECORDING_BYTES_MAX = 1_000_000;
const key = createUser();
const enrolled = { vehicleId: 'v1', publicKey: key.getPublicKey(), isRevoked: false };
const digest = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

function manifest(overrides: MessageInitShape<typeof ManifestSchema> = {}, signer: KeyPair = key): Uint8Array {
  const bytes = toBinary(
    ManifestSchema,
    create(ManifestSchema, {
      version: 1,
      vehicleId: 'v1',
      eventId: 'ev-1',
      recordingDigest: digest(1),
      sizeBytes: 25n,
      chunkSizeBytes: 10,
      chunkDigests: [digest(2), digest(3), digest(4)],
      ...overrides,
    }),
  );
  return toBinary(
    SignedManifestSchema,
    create(SignedManifestSchema, { manifest: bytes, signature: signer.sign(bytes), publicKey: signer.getPublicKey() }),
  );
}

function refusalOf(work: () => unknown): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return FleetError.from(error).code;
  }
}

describe('decoding a manifest', () => {
  it('gives the recording, its chunks and its size', () => {
    const decoded = decodeManifest(manifest(), RECORDING_BYTES_MAX);
    expect(decoded).toMatchObject({ vehicleId: 'v1', eventId: 'ev-1', sizeBytes: 25, chunkSizeBytes: 10 });
    expect(decoded.chunks).toHaveLength(3);
  });

  it.each([
    ['another version', { version: 2 }],
    ['a short digest of the recording', { recordingDigest: new Uint8Array(31) }],
    ['a short digest of a chunk', { chunkDigests: [digest(2), digest(3), new Uint8Array(4)] }],
    ['no bytes', { sizeBytes: 0n, chunkDigests: [] }],
    ['chunks of no size', { chunkSizeBytes: 0 }],
    ['chunks over the limit', { chunkSizeBytes: 10_000_000 }],
    ['a chunk too few', { chunkDigests: [digest(2), digest(3)] }],
    ['a chunk too many', { chunkDigests: [digest(2), digest(3), digest(4), digest(5)] }],
    ['a vehicle id with a dot', { vehicleId: 'v.1' }],
    ['an event id that climbs out of a folder', { eventId: '../x' }],
  ])('refuses %s', (_what, overrides) => {
    expect(refusalOf(() => decodeManifest(manifest(overrides), RECORDING_BYTES_MAX))).toBe('INGEST_MANIFEST_MALFORMED');
  });

  it('refuses what is over a limit', () => {
    expect(refusalOf(() => decodeManifest(manifest({ sizeBytes: 1_000_001n }), RECORDING_BYTES_MAX))).toBe(
      'INGEST_LIMIT',
    );
    expect(refusalOf(() => decodeManifest(new Uint8Array(MANIFEST_BYTES_MAX + 1), RECORDING_BYTES_MAX))).toBe(
      'INGEST_LIMIT',
    );
  });

  it('refuses or decodes whatever bytes come, and never fails in another way', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(['accepted', 'INGEST_MANIFEST_MALFORMED', 'INGEST_LIMIT']).toContain(
          refusalOf(() => decodeManifest(bytes, RECORDING_BYTES_MAX)),
        );
      }),
    );
  });
});

describe('verifying a manifest', () => {
  const verify = (bytes: Uint8Array): string =>
    refusalOf(() => verifyManifest(decodeManifest(bytes, RECORDING_BYTES_MAX), enrolled));

  it('accepts the enrolled key of the vehicle', () => {
    expect(verify(manifest())).toBe('accepted');
  });

  it('refuses another key, even one that signed correctly', () => {
    expect(verify(manifest({}, createUser()))).toBe('INGEST_MANIFEST_SIGNATURE');
  });

  it('refuses another key that names the enrolled one', () => {
    const forged = decodeManifest(manifest({}, createUser()), RECORDING_BYTES_MAX);
    const named = { ...forged, signed: { ...forged.signed, publicKey: enrolled.publicKey } };
    expect(refusalOf(() => verifyManifest(named, enrolled))).toBe('INGEST_MANIFEST_SIGNATURE');
  });

  it('refuses a signature of a wrong length', () => {
    const decoded = decodeManifest(manifest(), RECORDING_BYTES_MAX);
    const short = { ...decoded, signed: { ...decoded.signed, signature: new Uint8Array(3) } };
    expect(refusalOf(() => verifyManifest(short, enrolled))).toBe('INGEST_MANIFEST_SIGNATURE');
  });

  it('refuses a manifest that speaks for another vehicle', () => {
    expect(verify(manifest({ vehicleId: 'v2' }))).toBe('INGEST_VEHICLE_MISMATCH');
  });
});
