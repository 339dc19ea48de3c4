/**
 * Signatures by NATS user keys (nkeys), made by Node's own Ed25519. The official library computes them in JavaScript: 15 ms each, in
 * which a vehicle captures nothing and an ingest takes nothing. Encoding: base32 of prefix, key and CRC-16 (nats-io/nkeys, "Format").
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const KEY_BYTES = 32;
const CRC_BYTES = 2;
/** First byte of a user's public key, `U`. */
const USER_PREFIX = 20 << 3;
/** First five bits of a seed, `S`. */
const SEED_PREFIX = 18 << 3;
/** DER around a raw Ed25519 key (RFC 8410). */
const PRIVATE_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_HEADER = Buffer.from('302a300506032b6570032100', 'hex');
const SIGNATURE_BYTES = 64;

/** The private key of a user's seed (`SU…`), or undefined for a text that is not one. */
export function userKeyOfSeed(seed: string): KeyObject | undefined {
  const bytes = decode(seed, 2 + KEY_BYTES);
  if (bytes === undefined) return undefined;
  const [first = 0, second = 0] = bytes;
  // The prefix of the seed and that of what it is a seed of share two bytes.
  if ((first & 0xf8) !== SEED_PREFIX || (((first & 7) << 5) | ((second & 0xf8) >> 3)) !== USER_PREFIX) return undefined;
  return createPrivateKey({ key: Buffer.concat([PRIVATE_HEADER, bytes.subarray(2)]), format: 'der', type: 'pkcs8' });
}

/** Ed25519, 64 bytes. */
export function signWithUserKey(key: KeyObject, bytes: Uint8Array): Uint8Array {
  return sign(null, bytes, key);
}

/** Whether bytes were signed by a user's public key (`U…`); false for whatever is not a key or not a signature. */
export function isSignedByUser(publicKey: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  const raw = decode(publicKey, 1 + KEY_BYTES);
  if (raw === undefined || raw[0] !== USER_PREFIX || signature.length !== SIGNATURE_BYTES) return false;
  const key = createPublicKey({ key: Buffer.concat([PUBLIC_HEADER, raw.subarray(1)]), format: 'der', type: 'spki' });
  return verify(null, bytes, key, signature);
}

/** The bytes before the checksum; undefined when text, length or checksum are wrong. */
function decode(text: string, length: number): Uint8Array | undefined {
  const total = length + CRC_BYTES;
  if (text.length !== Math.ceil((total * 8) / 5)) return undefined;
  const bytes = new Uint8Array(total);
  let bits = 0;
  let value = 0;
  let filled = 0;
  for (const character of text) {
    const digit = ALPHABET.indexOf(character);
    if (digit === -1) return undefined;
    value = ((value << 5) | digit) & 0xf_ff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      if (filled < total) bytes[filled] = (value >>> bits) & 0xff;
      filled += 1;
    }
  }
  // The bits after the last byte belong to nothing: a text with others there is a second spelling of the same key.
  if ((value & ((1 << bits) - 1)) !== 0) return undefined;
  const checksum = (bytes[total - 2] as number) | ((bytes[total - 1] as number) << 8);
  return crc16(bytes.subarray(0, length)) === checksum ? bytes.subarray(0, length) : undefined;
}

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc & 0x80_00) === 0 ? crc << 1 : (crc << 1) ^ 0x10_21) & 0xff_ff;
  }
  return crc;
}
