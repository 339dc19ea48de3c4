/** What vehicles send, damaged: every byte of a manifest and of a tombstone may be anything, and the answer is a result or a typed error. */
import { create, toBinary } from '@bufbuild/protobuf';
import { FleetError } from '@fleetloop/schemas';
import { ManifestSchema, SignedManifestSchema, SignedTombstoneSchema, TombstoneSchema } from '@fleetloop/schemas/wire';
import { createUser } from '@nats-io/nkeys';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeManifest, verifyManifest } from './manifest.ts';
import { readTombstone } from './tombstone.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500);
const RECORDING_BYTES_MAX = 1_000_000;
const key = createUser();
const enrolled = { vehicleId: 'v1', publicKey: key.getPublicKey(), isRevoked: false };
const digest = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

function signedManifest(): Uint8Array {
  const manifest = toBinary(
    ManifestSchema,
    create(ManifestSchema, {
      version: 1,
      vehicleId: 'v1',
      eventId: 'ev-1',
      recordingDigest: digest(1),
      sizeBytes: 25n,
      chunkSizeBytes: 10,
      chunkDigests: [digest(2), digest(3), digest(4)],
      priority: 'normal',
      session: 's',
      campaignIds: ['c'],
    }),
  );
  const signature = key.sign(manifest);
  return toBinary(
    SignedManifestSchema,
    create(SignedManifestSchema, { manifest, signature, publicKey: enrolled.publicKey }),
  );
}

function signedTombstone(): Uint8Array {
  const tombstone = toBinary(
    TombstoneSchema,
    create(TombstoneSchema, {
      version: 1,
      vehicleId: 'v1',
      eventId: 'ev-1',
      recordingDigest: digest(1),
      sizeBytes: 25n,
      priority: 'normal',
      code: 'SPOOL_FULL',
      reason: 'no room',
      atMs: 1_700_000_000_000n,
    }),
  );
  const signature = key.sign(tombstone);
  return toBinary(
    SignedTombstoneSchema,
    create(SignedTombstoneSchema, { tombstone, signature, publicKey: enrolled.publicKey }),
  );
}

/** Bytes flipped, inserted and cut out, some of them in the right places. */
const mutations = fc.array(
  fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('flip', 'insert', 'remove', 'cut'),
    byte: fc.integer({ min: 0, max: 255 }),
  }),
  { minLength: 1, maxLength: 8 },
);

function mutate(bytes: Uint8Array, changes: readonly { at: number; kind: string; byte: number }[]): Uint8Array {
  let mutated = [...bytes];
  for (const { at, kind, byte } of changes) {
    const index = mutated.length === 0 ? 0 : at % mutated.length;
    if (kind === 'flip') mutated[index] = (mutated[index] ?? 0) ^ byte;
    else if (kind === 'insert') mutated.splice(index, 0, byte);
    else if (kind === 'remove') mutated.splice(index, 1);
    else mutated = mutated.slice(0, index);
  }
  return Uint8Array.from(mutated);
}

// Signed once: signing takes longer than everything else here.
const MANIFEST = signedManifest();
const TOMBSTONE = signedTombstone();

describe('a damaged message of a vehicle', () => {
  it('as a manifest is refused by a typed error, and never verifies as something else than was signed', () => {
    const good = decodeManifest(MANIFEST, RECORDING_BYTES_MAX);
    fc.assert(
      fc.property(mutations, (changes) => {
        try {
          const decoded = decodeManifest(mutate(MANIFEST, changes), RECORDING_BYTES_MAX);
          verifyManifest(decoded, enrolled);
          expect({ ...decoded, digest: good.digest, bytes: good.bytes }).toEqual(good);
        } catch (error) {
          expect(error).toBeInstanceOf(FleetError);
          expect((error as FleetError).code).toMatch(/^INGEST_/);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('as a tombstone is refused by a typed error, and never verifies as something else than was signed', async () => {
    const admit = async (): Promise<typeof enrolled> => enrolled;
    const good = await readTombstone(TOMBSTONE, admit);
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        try {
          const read = await readTombstone(mutate(TOMBSTONE, changes), admit);
          expect({ ...read, digest: good.digest }).toEqual(good);
        } catch (error) {
          expect(error).toBeInstanceOf(FleetError);
          expect((error as FleetError).code).toMatch(/^INGEST_/);
        }
      }),
      { numRuns: RUNS },
    );
  });
});
