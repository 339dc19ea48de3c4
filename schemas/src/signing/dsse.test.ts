/** DSSE envelopes: what verifies, and every way in which one must not. */
import { describe, expect, it } from 'vitest';
import { generateSigningKey, signDocument, verifyDocument } from './dsse.ts';

const TYPE = 'application/vnd.fleetloop.test+json';
const key = generateSigningKey();
const document = { kind: 'test', value: 1.5 };

describe('verifyDocument', () => {
  it('returns the payload that was signed', () => {
    expect(verifyDocument(signDocument(TYPE, document, key), TYPE, [key.publicKeyPem])).toEqual(document);
  });

  it('accepts any one of several trusted keys', () => {
    const other = generateSigningKey();
    expect(verifyDocument(signDocument(TYPE, document, key), TYPE, [other.publicKeyPem, key.publicKeyPem])).toEqual(
      document,
    );
  });

  const refusal = expect.objectContaining({ code: 'PACKAGE_SIGNATURE' });

  it('refuses another key', () => {
    expect(() => verifyDocument(signDocument(TYPE, document, generateSigningKey()), TYPE, [key.publicKeyPem])).toThrow(
      refusal,
    );
  });

  it('refuses an altered payload', () => {
    const envelope = signDocument(TYPE, document, key);
    const altered = { ...envelope, payload: Buffer.from('{"kind":"test","value":2.5}').toString('base64') };
    expect(() => verifyDocument(altered, TYPE, [key.publicKeyPem])).toThrow(refusal);
  });

  it('refuses a signature made for another payload type', () => {
    const envelope = signDocument('application/other', document, key);
    expect(() => verifyDocument({ ...envelope, payloadType: TYPE }, TYPE, [key.publicKeyPem])).toThrow(refusal);
    expect(() => verifyDocument(envelope, TYPE, [key.publicKeyPem])).toThrow(refusal);
  });

  it.each([null, {}, { payloadType: TYPE, payload: 'x', signatures: [] }])(
    'refuses what is no envelope: %j',
    (envelope) => {
      expect(() => verifyDocument(envelope, TYPE, [key.publicKeyPem])).toThrow(refusal);
    },
  );
});
