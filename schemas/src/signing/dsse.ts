/** DSSE v1 envelopes (secure-systems-lab/dsse, protocol.md) with Ed25519: how bundles and director documents are signed. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { canonicalJson, type JsonValue } from '../digest/canonical-json.ts';
import { FleetError } from '../errors/fleet-error.ts';
import { DsseEnvelope } from './envelope.ts';

/** An Ed25519 key pair in PEM with its key id (first 16 hex digits of SHA-256 over the SPKI DER). */
export type SigningKey = { readonly keyId: string; readonly privateKeyPem: string; readonly publicKeyPem: string };

export function generateSigningKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    keyId: keyIdOf(publicKey),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

/** Key id of a public key: the first 16 hex digits of SHA-256 over its SPKI DER. */
export function keyIdOf(publicKey: KeyObject | string): string {
  const key = typeof publicKey === 'string' ? createPublicKey(publicKey) : publicKey;
  const der = key.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, 16);
}

/** Pre-authentication encoding (DSSE v1 §"Signature Definition"). */
function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, 'utf8');
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload]);
}

/** Signs the canonical JSON of `document`. */
export function signDocument(payloadType: string, document: JsonValue, key: SigningKey): DsseEnvelope {
  const payload = Buffer.from(canonicalJson(document), 'utf8');
  const signature = sign(null, preAuthenticationEncoding(payloadType, payload), createPrivateKey(key.privateKeyPem));
  return {
    payloadType,
    payload: payload.toString('base64'),
    signatures: [{ keyid: key.keyId, sig: signature.toString('base64') }],
  };
}

/**
 * Returns the parsed payload when one signature verifies with one of `publicKeysPem`.
 * @throws FleetError PACKAGE_SIGNATURE when the envelope is malformed, of another type, or no signature verifies
 */
export function verifyDocument(envelope: unknown, payloadType: string, publicKeysPem: readonly string[]): unknown {
  const parsed = DsseEnvelope.safeParse(envelope);
  if (!parsed.success)
    throw new FleetError('PACKAGE_SIGNATURE', 'the envelope is not DSSE: ask for the document again');
  if (parsed.data.payloadType !== payloadType) {
    throw new FleetError('PACKAGE_SIGNATURE', `the envelope holds ${parsed.data.payloadType}, expected ${payloadType}`);
  }
  const payload = Buffer.from(parsed.data.payload, 'base64');
  const message = preAuthenticationEncoding(payloadType, payload);
  const valid = parsed.data.signatures.some((signature) =>
    publicKeysPem.some((pem) => verify(null, message, createPublicKey(pem), Buffer.from(signature.sig, 'base64'))),
  );
  if (!valid) {
    throw new FleetError(
      'PACKAGE_SIGNATURE',
      'no signature verifies with a trusted key: the document was altered or signed by somebody else',
    );
  }
  return JSON.parse(payload.toString('utf8'));
}
