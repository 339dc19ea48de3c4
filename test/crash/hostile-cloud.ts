/**
 * The other side of the link as a careful ingest would be, behind a link that is as bad as links are: receipts are lost, come twice,
 * late and out of order; what was sent arrives though its acknowledgement does not. It remembers what must never happen.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { CHUNK_DIGEST_HEADER, FleetError } from '@fleetloop/schemas';
import { digestFromBytes, digestOfBytes } from '@fleetloop/schemas/crypto';
import {
  type Manifest,
  ManifestSchema,
  type Receipt,
  ReceiptSchema,
  SignedManifestSchema,
  SignedTombstoneSchema,
  type Tombstone,
  TombstoneSchema,
} from '@fleetloop/schemas/wire';
import type { SeededRandom } from '@fleetloop/sim';

export type Hostility = {
  /** Shares of all receipts that are lost, that come twice, and that come late. */
  readonly receiptLost: number;
  readonly receiptTwice: number;
  readonly receiptLate: number;
  /** Share of recordings that a relay holds for a while before they are verified. */
  readonly relayed: number;
  /** Share of messages that arrive though the sender is told that they did not. */
  readonly acknowledgementLost: number;
};

export const FRIENDLY: Hostility = {
  receiptLost: 0,
  receiptTwice: 0,
  receiptLate: 0,
  relayed: 0,
  acknowledgementLost: 0,
};
export const HOSTILE: Hostility = {
  receiptLost: 0.15,
  receiptTwice: 0.15,
  receiptLate: 0.2,
  relayed: 0.15,
  acknowledgementLost: 0.05,
};

export type Verified = { readonly digest: string; readonly bytes: Uint8Array; readonly ledgerSequence: bigint };
type Outcome = Receipt['outcome'];
type SendReceipt = (receipt: Uint8Array) => void;

export class HostileCloud {
  readonly random: SeededRandom;
  hostility: Hostility;
  /** The catalogue: recordings by event. */
  readonly verified = new Map<string, Verified>();
  readonly tombstones = new Map<string, Tombstone>();
  /** What must never happen, one line each, the name of the rule first. */
  readonly faults: string[] = [];
  /** Bytes of chunks, manifests and tombstones as they came. */
  receivedBytes = 0;
  readonly #chunks = new Map<string, Uint8Array>();
  readonly #relayed = new Set<string>();

  constructor(random: SeededRandom, hostility: Hostility) {
    this.random = random;
    this.hostility = hostility;
  }

  /** A message of the vehicle has arrived; receipts go out by `send`. */
  take(subject: string, payload: Uint8Array, headers: Readonly<Record<string, string>>, send: SendReceipt): void {
    if (!subject.includes('.uplink.')) return;
    this.receivedBytes += payload.length;
    if (subject.includes('.uplink.chunk.')) this.#takeChunk(payload, headers);
    else if (subject.includes('.uplink.manifest.')) this.#takeManifest(payload, send);
    else this.#takeTombstone(payload, send);
  }

  #takeChunk(payload: Uint8Array, headers: Readonly<Record<string, string>>): void {
    const digest = digestOfBytes(payload);
    if (digest !== headers[CHUNK_DIGEST_HEADER]) this.faults.push(`chunk-whole: a chunk is not what its header says`);
    this.#chunks.set(digest, payload.slice());
  }

  #takeManifest(payload: Uint8Array, send: SendReceipt): void {
    const manifest = fromBinary(ManifestSchema, fromBinary(SignedManifestSchema, payload).manifest);
    const digest = digestFromBytes(manifest.recordingDigest);
    const answer = (outcome: Outcome): void =>
      this.#answer({ eventId: manifest.eventId, digest: manifest.recordingDigest, outcome }, send);
    const known = this.verified.get(manifest.eventId);
    if (known !== undefined && known.digest !== digest) {
      this.faults.push(`uploaded-once: ${manifest.eventId} comes a second time with other bytes`);
      return;
    }
    if (known === undefined) {
      const chunks = manifest.chunkDigests.map((each) => this.#chunks.get(digestFromBytes(each)));
      if (chunks.includes(undefined)) {
        answer({ case: 'missing', value: missingOf(chunks) });
        return;
      }
      if (!this.#relayed.has(manifest.eventId) && this.random.chance(this.hostility.relayed)) {
        this.#relayed.add(manifest.eventId);
        answer({ case: 'stored', value: { $typeName: 'fleetloop.uplink.Stored', relay: 'north' } });
        return;
      }
      this.#verify(manifest, digest, chunks as Uint8Array[]);
    }
    const { ledgerSequence } = this.verified.get(manifest.eventId) as Verified;
    answer({ case: 'verified', value: { $typeName: 'fleetloop.uplink.Verified', ledgerSequence } });
  }

  #verify(manifest: Manifest, digest: string, chunks: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(chunks);
    if (digestOfBytes(bytes) !== digest) this.faults.push(`recording-whole: ${manifest.eventId} is not its digest`);
    this.verified.set(manifest.eventId, { digest, bytes, ledgerSequence: BigInt(this.verified.size + 1) });
  }

  #takeTombstone(payload: Uint8Array, send: SendReceipt): void {
    const tombstone = fromBinary(TombstoneSchema, fromBinary(SignedTombstoneSchema, payload).tombstone);
    const { eventId, recordingDigest: digest } = tombstone;
    const known = this.verified.get(eventId);
    // As ingest does: what a vehicle gives up because no receipt reached it is no loss when it is here.
    const isHere = known !== undefined && digest.length > 0 && known.digest === digestFromBytes(digest);
    // One fact for a name: what comes again under it changes nothing.
    if (!isHere && !this.tombstones.has(eventId)) this.tombstones.set(eventId, tombstone);
    const ledgerSequence = isHere ? known.ledgerSequence : 0n;
    this.#answer(
      {
        eventId,
        digest,
        outcome: { case: 'verified', value: { $typeName: 'fleetloop.uplink.Verified', ledgerSequence } },
      },
      send,
    );
  }

  #answer(
    { eventId, digest, outcome }: { readonly eventId: string; readonly digest: Uint8Array; readonly outcome: Outcome },
    send: SendReceipt,
  ): void {
    const { receiptLost, receiptTwice } = this.hostility;
    if (this.random.chance(receiptLost)) return;
    const receipt = toBinary(ReceiptSchema, create(ReceiptSchema, { recordingDigest: digest, eventId, outcome }));
    send(receipt);
    if (this.random.chance(receiptTwice)) send(receipt);
  }
}

function missingOf(chunks: readonly (Uint8Array | undefined)[]): Extract<Outcome, { case: 'missing' }>['value'] {
  const chunkBitmap = new Uint8Array(Math.ceil(chunks.length / 8));
  for (const [index, chunk] of chunks.entries())
    if (chunk === undefined) chunkBitmap[index >> 3] = (chunkBitmap[index >> 3] ?? 0) | (1 << (index & 7));
  return { $typeName: 'fleetloop.uplink.Missing', chunkBitmap };
}

export const unavailable = (): FleetError => new FleetError('UPLINK_UNAVAILABLE', 'the link is down');
