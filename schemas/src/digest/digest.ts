/** Identity of bytes and documents: SHA-256 of the bytes, or of a document's canonical JSON. */
import { createHash } from 'node:crypto';
import type { Digest } from '../ids/branded.ts';
import { canonicalJson, type JsonValue } from './canonical-json.ts';

/** SHA-256 of `bytes` as `sha256:<hex>`. */
export function digestOfBytes(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** SHA-256 of the canonical JSON (RFC 8785) of `document`. */
export function digestOfDocument(document: JsonValue): Digest {
  return digestOfBytes(Buffer.from(canonicalJson(document), 'utf8'));
}

/** The 32 raw bytes of a digest. */
export function digestToBytes(digest: Digest): Uint8Array {
  return Buffer.from(digest.slice('sha256:'.length), 'hex');
}

/** A digest from its 32 raw bytes. */
export function digestFromBytes(bytes: Uint8Array): Digest {
  return `sha256:${Buffer.from(bytes).toString('hex')}` as Digest;
}
